// SPDX-License-Identifier: Apache-2.0

package links

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Request is one request of the driver and the calls that it must cause.
type Request struct {
	ID     string      // truth id
	Target string      // path and query
	Calls  int         // calls to leaves, named ID.0 to ID.n-1
	Twice  bool        // each call is made twice, since the leaf fails the first attempt
	Header [][2]string // further header fields
	Fresh  bool        // made on a new connection
	Echo   bool        // the response's body is what the leaves said
}

// CallID is the truth id of a request's n-th call.
func (r *Request) CallID(n int) string { return fmt.Sprintf("%s.%d", r.ID, n) }

// attempts is how often each call is made.
func (r *Request) attempts() int {
	if r.Twice {
		return 2
	}
	return 1
}

// Spans is the number of spans that a plan must give.
func Spans(plan []Request) int {
	n := len(plan)
	for i := range plan {
		n += 2 * plan[i].Calls * plan[i].attempts()
	}
	return n
}

// Shape makes a request's target and says what calls it causes. The target does
// not tell requests apart: equal targets are common on purpose.
type Shape func(random *rand.Rand, seq int) Request

// Plan is a number of requests with ids "RUN-SEQ"; the same arguments make the
// same plan. One in fresh requests asks for a new connection.
func Plan(run string, n, fresh int, echo bool, shape Shape) []Request {
	random := rand.New(rand.NewPCG(uint64(n), uint64(fresh)))
	plan := make([]Request, n)
	for i := range plan {
		plan[i] = shape(random, i)
		plan[i].ID, plan[i].Fresh, plan[i].Echo = fmt.Sprintf("%s-%d", run, i), random.IntN(fresh) == 0, echo
	}
	return plan
}

// Work is the shape of requests to an application: in one of modes, one to
// three calls, each after up to wait and answered after up to the same time.
func Work(wait time.Duration, modes ...string) Shape {
	limit := int(wait/time.Millisecond) + 1
	return func(random *rand.Rand, _ int) Request {
		mode, calls := modes[random.IntN(len(modes))], 1+random.IntN(3)
		target := fmt.Sprintf("/do/%s/%d/%d/%d", mode, calls, random.IntN(limit), random.IntN(limit))
		return Request{Target: target, Calls: calls, Twice: mode == "retry"}
	}
}

// Forward is the shape of requests to a proxy, which makes one call for each
// with the same target. If unique, no two targets are equal.
func Forward(wait time.Duration, unique bool) Shape {
	limit := int(wait/time.Millisecond) + 1
	return func(random *rand.Rand, seq int) Request {
		target := fmt.Sprintf("/leaf/%d", random.IntN(limit))
		if unique {
			target += fmt.Sprintf("?item=%d", seq)
		}
		return Request{Target: target, Calls: 1}
	}
}

// Hold is the shape of requests whose one call is answered when n of them wait.
func Hold(n int) Shape {
	return func(*rand.Rand, int) Request {
		return Request{Target: fmt.Sprintf("/do/hold/1/0/%d", n), Calls: 1}
	}
}
