// SPDX-License-Identifier: Apache-2.0

package tracecontext

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

func TestGRPCBinVectors(t *testing.T) {
	raw := func(prefix, trace, mid, span, tail string) string {
		b, err := hex.DecodeString(prefix + trace + mid + span + tail)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawStdEncoding.EncodeToString(b)
	}
	want := "00-" + traceA + "-" + spanA
	good := func(name, value, flags string, d Decision) vector {
		return vector{name: name, fields: one("grpc-trace-bin", value), want: want + flags, format: GRPCBin, decision: d}
	}
	bad := func(name, value string) vector {
		return vector{name: name, fields: one("grpc-trace-bin", value), invalid: 1}
	}
	runVectors(t, []vector{
		good("sampled", raw("0000", traceA, "01", spanA, "0201"), "-01", Keep),
		good("padded", raw("0000", traceA, "01", spanA, "0201")+"=", "-01", Keep),
		good("no decision", raw("0000", traceA, "01", spanA, "0200"), "-00", Undecided),
		good("no options", raw("0000", traceA, "01", spanA, ""), "-00", Undecided),
		good("other order", raw("000201"+"01", spanA, "00", traceA, ""), "-01", Keep),
		good("unknown field after", raw("0000", traceA, "01", spanA, "020103ffff"), "-01", Keep),
		bad("version 1", raw("0100", traceA, "01", spanA, "0201")),
		bad("cut trace id", raw("0000", traceA[:30], "", "", "")),
		bad("cut options", raw("0000", traceA, "01", spanA, "02")),
		bad("no span id", raw("0000", traceA, "", "", "0201")),
		bad("repeated field", raw("0000", traceA, "01", spanA, "01"+spanB)),
		bad("zero trace id", raw("0000", strings.Repeat("0", 32), "01", spanA, "0201")),
		bad("zero span id", raw("0000", traceA, "01", strings.Repeat("0", 16), "0201")),
		bad("not base64", "?"),
		bad("two values", raw("0000", traceA, "01", spanA, "0201")+","+raw("0000", traceA, "01", spanA, "0201")),
		bad("empty", ""),
	})
}

func TestGoogleCloudVectors(t *testing.T) {
	want := "00-" + traceA + "-" + spanB
	good := func(name, value, flags string, d Decision) vector {
		return vector{name: name, fields: one("X-Cloud-Trace-Context", value), want: want + flags, format: GoogleCloud, decision: d}
	}
	root := func(name, value string) vector {
		v := good(name, value, "", Undecided)
		v.want, v.noSpan = "00-"+traceA+"-0000000000000000-00", true
		return v
	}
	bad := func(name, value string) vector {
		return vector{name: name, fields: one("x-cloud-trace-context", value), invalid: 1}
	}
	runVectors(t, []vector{
		good("sampled", traceA+"/"+decSB+";o=1", "-01", Keep),
		good("not sampled", traceA+"/"+decSB+";o=0", "-00", Drop),
		good("empty options", traceA+"/"+decSB+";o=", "-00", Undecided),
		good("no options", traceA+"/"+decSB, "-00", Undecided),
		root("no span", traceA),
		root("empty span", traceA+"/"),
		root("span 0", traceA+"/0"),
		bad("16 digits", traceA[:16]+"/1;o=1"),
		bad("zero trace id", strings.Repeat("0", 32)+"/1;o=1"),
		bad("hex span", traceA+"/"+spanB+";o=1"),
		bad("span 2^64", traceA+"/18446744073709551616;o=1"),
		bad("unknown options", traceA+"/1;o=9"),
		bad("empty", ""),
	})
}
