// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
)

func TestJSONGolden(t *testing.T) {
	full := fullSpan()
	full.Resource = resource.NewSchemaless(attribute.String("service.name", "shop"), attribute.Int("process.pid", 42))
	full.Attrs = append(full.Attrs,
		attribute.Int64("big", math.MaxInt64), attribute.Bool("yes", true), attribute.Float64("half", 0.5),
		attribute.Float64("nan", math.NaN()), attribute.Float64("inf", math.Inf(-1)),
		attribute.StringSlice("list", []string{"a", "b"}), attribute.Int64Slice("ints", []int64{1, 2}),
		attribute.BoolSlice("bools", []bool{true, false}), attribute.Float64Slice("floats", []float64{1, 1e21}),
		attribute.KeyValue{Key: "bytes", Value: attribute.ByteSliceValue([]byte("raw\xff"))},
		attribute.KeyValue{Key: "map", Value: attribute.MapValue(attribute.String("k", "v"))},
		attribute.KeyValue{Key: "mixed", Value: attribute.SliceValue(attribute.Int64Value(1), attribute.StringValue("x"))},
		attribute.KeyValue{Key: "empty"},
		attribute.String("hostile", "\"\\\n\t\x00\x1b[2J\u202e\u2028 é \xff"),
	)
	var out bytes.Buffer
	exp := NewJSON(&out)
	if err := exp.Export(context.Background(), []*Span{full, exampleSpan(7)}); err != nil {
		t.Fatal(err)
	}
	if err := exp.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not valid json: %s", line)
		}
	}
	checkGolden(t, "spans.json", out.Bytes())
}

func TestJSONReportsWriteErrors(t *testing.T) {
	err := NewJSON(brokenWriter{}).Export(context.Background(), []*Span{exampleSpan(1)})
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error = %v", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
