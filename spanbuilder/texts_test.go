// SPDX-License-Identifier: Apache-2.0

package spanbuilder

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"
)

func TestTexts(t *testing.T) {
	var kept texts
	b := []byte("shop.example")
	first := kept.of(b)
	if again := kept.of([]byte("shop.example")); again != first || unsafe.StringData(again) != unsafe.StringData(first) {
		t.Errorf("%q is not the string kept", again)
	}
	b[0] = 'X' // the bytes are the caller's
	if first != "shop.example" {
		t.Errorf("the string became %q", first)
	}
	for i := range 4 * maxTexts { // more than there are slots
		if want := fmt.Sprint("/path/", i); kept.of([]byte(want)) != want {
			t.Errorf("%q became something else", want)
		}
	}
	for _, want := range []string{"", "x", strings.Repeat("y", maxText+1)} {
		if got := kept.of([]byte(want)); got != want {
			t.Errorf("%q became %q", want, got)
		}
	}
}
