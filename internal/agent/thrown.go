// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
)

// throwVariable, for tests of what a loss does, has the part of the kernel's
// records that is thrown away, between 0 and 1.
const throwVariable = "TRACER_AGENT_TEST_DROP"

// thrower throws records away at random.
type thrower struct {
	part   float64
	random *rand.Rand
	thrown uint64
}

// newThrower returns nil unless the environment asks for one.
func newThrower() (*thrower, error) {
	text := os.Getenv(throwVariable)
	if text == "" {
		return nil, nil
	}
	part, err := strconv.ParseFloat(text, 64)
	if err != nil || part < 0 || part > 1 {
		return nil, fmt.Errorf("%s=%q: want a number between 0 and 1", throwVariable, text)
	}
	return &thrower{part: part, random: rand.New(rand.NewPCG(1, 2))}, nil
}

// takes says that the next record is thrown away. A nil thrower takes none.
func (t *thrower) takes() bool {
	if t == nil || t.random.Float64() >= t.part {
		return false
	}
	t.thrown++
	return true
}
