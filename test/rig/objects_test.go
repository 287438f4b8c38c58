// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"testing"
)

func TestAnd(t *testing.T) {
	x, y := newObjects(), newObjects()
	x.Programs[1], x.Programs[2], x.Maps[3], x.Links[4] = true, true, true, true
	y.Programs[2], y.Maps[4], y.Links[4] = true, true, true
	both := x.And(y)
	if both.Len() != 2 || !both.Programs[2] || !both.Links[4] {
		t.Errorf("both: %s", both)
	}
}
