// SPDX-License-Identifier: Apache-2.0

package conn

// Quiet returns the number of directions that Poll looks after.
func (t *Table) Quiet() int { return len(t.quiet) }
