// SPDX-License-Identifier: Apache-2.0

package main

// mutation is one change of the sources, and who should notice.
type mutation struct {
	area, what string
	file       string
	from, to   string // from is in the file once
	suites     []suite
}

const (
	fentry  = "fentry"
	sock    = "sock_tracepoint"
	syscall = "syscall_tracepoint"
)

func mutations() []mutation {
	var all []mutation
	for _, group := range [][]mutation{heads(), positions(), selection(), standIns(), kernelGaps(), userGaps()} {
		all = append(all, group...)
	}
	return all
}

// in returns mutations of one area and file, noticed by suites.
func in(area, file string, suites []suite, changes ...[3]string) []mutation {
	var all []mutation
	for _, c := range changes {
		all = append(all, mutation{area: area, what: c[0], file: file, from: c[1], to: c[2], suites: suites})
	}
	return all
}

func kernel(backend string) []suite { return []suite{hostC("unit", backend), model(backend)} }

func heads() []mutation {
	const area = "head detection"
	return append(in(area, "bpf/include/head.h", kernel(sock),
		[3]string{"methods are one letter shorter", "#define METHOD_MAX 24", "#define METHOD_MAX 23"},
		[3]string{"`*` is no target", "if (target == '/' || target == '*')", "if (target == '/')"},
		[3]string{"any word before an absolute target", "if (!(method & METHOD_UPPER))", "if (0)"},
		[3]string{"whatever ends like GET", "if (five == 0x2f20544547ULL)", "if (five >> 8 == 0x2f205445ULL)"},
		[3]string{"a response without its slash", "&& b[3] == 'P' && b[4] == '/'", "&& b[3] == 'P'"},
		[3]string{"a space in a method", "0x03ff6cfa00000000ULL", "0x03ff6cfb00000000ULL"},
		[3]string{"the target's first byte is not waited for", "if (len + 1 >= n)\n\t\treturn HEAD_MAYBE;", "if (len + 1 >= n)\n\t\treturn HEAD_NONE;"},
		[3]string{"no end of a chunked body in 8 bytes", "return (n == 7 ? tail & 0xffffffffffffffULL : tail >> 8)", "return (n == 7 ? tail & 0xffffffffffffffULL : tail)"},
	), in(area, "bpf/include/bytes.h", kernel(sock),
		[3]string{"a method of one letter is not held", " || b[1] == ' ') ? HEAD_MAYBE", ") ? HEAD_MAYBE"},
		[3]string{"the closer look is left out", "return k != HEAD_NONE ? k : classify_slow(slot, n);", "return k;"},
		[3]string{"a head of the other kind within a turn", "&& c->kind[dir] && c->kind[dir] != head)\n\t\thead = HEAD_NONE;", "&& c->kind[dir] && c->kind[dir] != head)\n\t\t;"},
		[3]string{"responses are held", "if (head == HEAD_MAYBE && c->kind[dir] != HEAD_RESPONSE && got", "if (head == HEAD_MAYBE && got"},
		[3]string{"no patience", "c->idle_turns < PATIENCE", "c->idle_turns < 1"},
		[3]string{"held bytes keep no time", "c->early_ktime[dir] = bpf_ktime_get_ns();", ";"},
	)...)
}

func positions() []mutation {
	const area = "position arithmetic"
	return append(append(in(area, "bpf/include/bytes.h", kernel(sock),
		[3]string{"a position moves by what is shipped", "c->pos[dir] += len;", "c->pos[dir] += ship;"},
		[3]string{"a record is of its end", "ev->pos = c->pos[dir] - len;", "ev->pos = c->pos[dir];"},
		[3]string{"the other direction is this one", "ev->other_pos = c->pos[!dir];", "ev->other_pos = c->pos[dir];"},
		[3]string{"every call is a turn", "if (turn)\n\t\tc->turn++;", "c->turn++;"},
		[3]string{"the budget is never spent", "c->budget[dir] -= ship;", ";"},
		[3]string{"a turn gives no records", "if (turn || head != HEAD_NONE)", "if (head != HEAD_NONE)"},
		[3]string{"held bytes are not counted", "len = opaque(sc, len + held);", "len = opaque(sc, len);"},
		[3]string{"held bytes do not join a gap", "c->pos[dir] += c->early_len[dir]; /* what", "/* what"},
		[3]string{"the tail lies behind the call", "return fetch_tail(sc, slot, len - held);", "return fetch_tail(sc, slot, len);"},
		[3]string{"held bytes are displaced", "if (got < ship && !(sc->ev.flags & DATA_EARLY))", "if (got < ship)"},
	), in(area, "bpf/include/iov.h", kernel(sock),
		[3]string{"a buffer too far", "cur->skip = skip - seg.len;", "cur->skip = 0;"},
		[3]string{"the tail is one byte early", "fetch(slot, len - n, n, TAIL_AT);", "fetch(slot, len - n - 1, n, TAIL_AT);"},
		[3]string{"every buffer from its start", "(void *)(seg.base + skip))) {", "(void *)seg.base)) {"},
	)...), append(in(area, "bpf/include/iov.h", kernel(fentry),
		[3]string{"rewinding stops a buffer too late", "if (left <= seg.len) {", "if (left < seg.len) {"},
		[3]string{"rewinding forgets what is left", "sc->src.skip = seg.len - left;", "sc->src.skip = 0;"},
	), in(area, "bpf/include/emit.h", kernel(sock),
		[3]string{"sequence numbers of a read FIN", "read--; /*", "/*"},
		[3]string{"sequence numbers of what is sent", "BPF_CORE_READ(tp, write_seq) - pos[DIR_SEND]", "BPF_CORE_READ(tp, write_seq)"},
	)...)...)
}

func selection() []mutation {
	const area = "selection test"
	all := in(area, "bpf/include/select.h", kernel(sock),
		[3]string{"whoever is not excluded", "if (v && v->state == VERDICT_SELECTED)", "if (!v || v->state != VERDICT_EXCLUDED)"},
		[3]string{"a candidate is selected", "if (v && v->state == VERDICT_SELECTED)", "if (v && v->state >= VERDICT_CANDIDATE && v->state <= VERDICT_SELECTED)"},
		[3]string{"exclusion does not win over a cgroup", "(v && v->state == VERDICT_EXCLUDED)", "false"},
		[3]string{"cgroups without being asked for", "if (!use_cgroup || ", "if ("},
	)
	all = append(all, in(area, "bpf/sock_tracepoint.bpf.c", kernel(sock),
		[3]string{"everybody's calls", "if (verdict_selects(v))", "if (v || !v)"},
	)...)
	all = append(all, in(area, "bpf/syscall_tracepoint.bpf.c", kernel(syscall),
		[3]string{"everybody's calls", "if (!verdict_selects(v))", "if (!v && v)"},
	)...)
	all = append(all, in(area, "bpf/fentry.bpf.c", kernel(fentry),
		[3]string{"everybody's sends", "if (verdict_selects(v))\n\t\ton_call(v, sk, it", "if (v || !v)\n\t\ton_call(v, sk, it"},
		[3]string{"everybody's splices", "if (verdict_selects(v))\n\t\ton_call(v, sock->sk", "if (v || !v)\n\t\ton_call(v, sock->sk"},
		[3]string{"everybody's receives", "if (!verdict_selects(v) || (flags", "if ((flags"},
	)...)
	return append(all, in(area, "bpf/include/lifecycle.h", kernel(sock),
		[3]string{"a new program keeps the verdict", "bpf_map_delete_elem(&verdict_by_tgid, &tgid);\n\tbpf_map_delete_elem(&recalled_by_tgid, &tgid);\n\tev.program", "ev.program"},
		[3]string{"threads are processes", "if (tgid != (u32)child->pid) /* a thread */", "if (0)"},
		[3]string{"an exclusion by port is overlooked", "if (v->exclude & r->exclude)", "if (0)"},
		[3]string{"every port selects", "else if (v->include & r->include)", "else if (1)"},
		[3]string{"everybody's connects", "if (selected()) {", "if (1) {"},
	)...)
}

func standIns() []mutation {
	const area = "stand-ins"
	return append(in(area, "bpf/include/standin.h", kernel(sock),
		[3]string{"nobody stands in", "if (notes && *notes & note)", "if (notes || !notes)"},
		[3]string{"everything is done twice", "if (notes && *notes & note)", "if (0)"},
		[3]string{"a note for one socket is one for all", "if (n && n->on[site] == on)", "if (n && n->on[site])"},
		[3]string{"notes stay", "*notes &= ~note;", ";"},
		[3]string{"tasks share notes", "&l->of[at]", "&l->of[0]"},
		[3]string{"whoever stands in is not counted", "stat_add(stat, 1);", ";"},
	), in(area, "bpf/include/conn.h", kernel(sock),
		[3]string{"connections of both are one", "slot << 1 | (role == ROLE_STAND_IN)", "slot << 1"},
	)...)
}

func kernelGaps() []mutation {
	const area = "gap handling"
	return append(in(area, "bpf/include/bytes.h", kernel(sock),
		[3]string{"the end of a chunked body is not told", "if (!c->records[dir] && !over) {", "if (!c->records[dir]) {"},
		[3]string{"nobody is told that a turn goes quiet", "sc->ev.flags |= DATA_QUIET;", ";"},
		[3]string{"progress is of the other direction", ".pos = c->pos[dir], .ktime", ".pos = c->pos[!dir], .ktime"},
	), in(area, "bpf/include/emit.h", kernel(sock),
		[3]string{"lost requests are not counted", "if (sc->request)\n\t\tstat_add(STAT_LOST_REQUESTS, 1);", ";"},
		[3]string{"a connection is announced once, come what may", "if (!announce(slot))\n\t\treturn false;", "announce(slot);"},
		[3]string{"an end tells the wrong position", "ev.pos[1] = c->pos[1];", "ev.pos[1] = c->pos[0];"},
	)...)
}

func userGaps() []mutation {
	const area = "gap handling"
	conn, parser := []suite{goTest("internal/conn")}, []suite{goTest("httpparse"), goTest("internal/conn")}
	all := in(area, "internal/conn/stream.go", conn,
		[3]string{"a lost turn goes unnoticed", "if c.skipsTurn(e) {", "if false && c.skipsTurn(e) {"},
		[3]string{"bytes between messages are none", "if !s.inMessage() {\n\t\treturn false\n\t}\n\tsame", "if !s.inMessage() {\n\t\treturn true\n\t}\n\tsame"},
		[3]string{"late slices are taken", "if e.Pos < s.pos {\n\t\tt.stats.Reordered++\n\t\treturn\n\t}", ""},
		[3]string{"what waits survives a loss", "t.dropPending(c, &t.stats.DroppedLost)\n\tt.freeStreams(c)", "t.freeStreams(c)"},
		[3]string{"any slice is a new start", "if !startsTurn(e) || requestsOf(e) != c.requests", "if requestsOf(e) != c.requests"},
		[3]string{"messages hide behind a captured one", "case t.astray || hidden:", "case t.astray:"},
		[3]string{"a gap as long as the rest is too long", "case p.Skippable() >= n:", "case p.Skippable() > n:"},
		[3]string{"a gap may reach beyond a message", "case p.State() == httpparse.StateLength || c.piped:\n\t\treturn false", "case p.State() == httpparse.StateLength || c.piped:\n\t\treturn true"},
	)
	all = append(all, in(area, "internal/conn/pairing.go", conn,
		[3]string{"any response is an answer", "!c.insync && t.turn != c.pending[0].turn+1", "false"},
		[3]string{"a client that pipelines is followed after a guess", "c.piped && (!c.insync || c.guessed)", "c.piped && !c.insync"},
	)...)
	all = append(all, in(area, "internal/conn/table.go", conn,
		[3]string{"after a loss the close is an answer", "if !c.insync { // what was lost may have been a response", "if false {"},
		[3]string{"a quiet direction is not caught up with", "s.seen, s.seenAt = pos, ktime", "_, _ = pos, ktime"},
	)...)
	return append(all, in(area, "httpparse/parser.go", parser,
		[3]string{"bytes beyond a body are of it", "if n > 0 { // whole messages may hide in the rest", "if false {"},
		[3]string{"a skipped body does not count", "p.consume(k)\n\t\tif p.left == 0 {", "p.advance(k)\n\t\tif p.left == 0 {"},
	)...)
}
