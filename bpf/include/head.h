/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Does a call's first byte start an HTTP/1 message? Pure: compiles for the host too. */
#pragma once

enum head_kind {
	HEAD_NONE = 0,
	HEAD_REQUEST,
	HEAD_RESPONSE,
	HEAD_MAYBE, /* too short to tell, nothing speaks against it */
	HEAD_FASTCGI, /* begins a request in FastCGI: of it no more is told than that */
};

#define HEAD_LEAST 3  /* no head is told by less: a method of one letter, a space, a target */
#define METHOD_MAX 24 /* the longest registered method has 17 characters */

/* RFC 9110 section 5.6.2: tchar, a bit for each */
static const u64 tchar_bits[4] SEC(".rodata") = {
	0x03ff6cfa00000000ULL, /* 0x20..0x3f: ! # $ % & ' * + - . 0-9 */
	0x57ffffffc7fffffeULL, /* 0x40..0x7f: A-Z ^ _ ` a-z | ~ */
};

static __always_inline bool is_tchar(u8 c)
{
	return (tchar_bits[c >> 6] >> (c & 63)) & 1;
}

#define METHOD_UPPER 0x100 /* beside a length: all of it is upper-case */

/* How many of the first METHOD_MAX bytes may be a method's, of n. The only branches of its loop are its
 * ends: the verifier goes through each round once. */
static __always_inline u32 method_length(const u8 *b, u32 n)
{
	u32 other = 0, i;

	for (i = 0; i < METHOD_MAX && i < n; i++) {
		const u32 c = b[i];

		if (!is_tchar(c))
			break;
		other |= (c - 'A') | ('Z' - c); /* either is negative */
	}
	return i | (other >> 31 ? 0 : METHOD_UPPER);
}

/* RFC 9112 section 3: method SP request-target. A target that is not a path or "*" is believed
 * only after an upper-case method (CONNECT, proxies), since "word word" starts many protocols.
 * method is what method_length(b, n) said. */
static __always_inline enum head_kind request_kind(const u8 *b, u32 n, u32 method)
{
	const u32 len = method & (METHOD_UPPER - 1);

	if (len == METHOD_MAX)
		return HEAD_NONE;
	if (len >= n)
		return HEAD_MAYBE;
	if (len == 0 || b[len & (HEAD_PEEK - 1)] != ' ')
		return HEAD_NONE;
	if (len + 1 >= n)
		return HEAD_MAYBE;
	const u8 target = b[(len + 1) & (HEAD_PEEK - 1)];

	if (target == '/' || target == '*')
		return HEAD_REQUEST;
	if (!(method & METHOD_UPPER))
		return HEAD_NONE;
	if (target == 'h' || target == 'H' || (len == 7 && b[0] == 'C' && b[6] == 'T'))
		return HEAD_REQUEST;
	return HEAD_NONE;
}

/* The usual starts, by one comparison. first holds the first bytes as they lie in memory, n of
 * them valid. HEAD_NONE: look closer. */
static __always_inline enum head_kind head_usual(u64 first, u32 n)
{
	const u64 five = first & 0xffffffffffULL;

	if (n < 8)
		return HEAD_NONE;
	if (five == 0x2f50545448ULL) /* HTTP/ */
		return HEAD_RESPONSE;
	if (five == 0x2f20544547ULL) /* GET / */
		return HEAD_REQUEST;
	if ((first & 0xffffffffffffULL) == 0x2f2054534f50ULL) /* POST / */
		return HEAD_REQUEST;
	return HEAD_NONE;
}

/* FastCGI specification, sections 3.3 and 5.1: version 1, FCGI_BEGIN_REQUEST, an id, eight bytes of content, no padding. */
static __always_inline bool begins_fastcgi(const u8 *b, u32 n)
{
	return n >= 8 && b[0] == 1 && b[1] == 1 && b[4] == 0 && b[5] == 8 && b[6] == 0 && b[7] == 0;
}

/* b has HEAD_PEEK readable bytes, n of them valid; method as in request_kind. */
static __always_inline enum head_kind head_kind(const u8 *b, u32 n, u32 method)
{
	if (n >= 5 && b[0] == 'H' && b[1] == 'T' && b[2] == 'T' && b[3] == 'P' && b[4] == '/')
		return HEAD_RESPONSE;
	if (begins_fastcgi(b, n))
		return HEAD_FASTCGI;
	return request_kind(b, n, method);
}

/* RFC 9112 section 7.1: do the call's last bytes end a chunked body without trailers, "0" CRLF CRLF,
 * either as a call of its own or behind the CRLF of the last chunk? tail as in struct ev_data. */
static __always_inline bool ends_chunked(u64 tail, u32 n)
{
	const u64 last5 = 0x0a0d0a0d30ULL; /* "0\r\n\r\n" little-endian */

	if (n < 5)
		return false;
	if (n == 5)
		return (tail & 0xffffffffffULL) == last5;
	if (n < 7)
		return false;
	/* "\r\n0\r\n\r\n" are the last seven of the min(n, 8) bytes in tail */
	return (n == 7 ? tail & 0xffffffffffffffULL : tail >> 8) == 0x0a0d0a0d300a0dULL;
}
