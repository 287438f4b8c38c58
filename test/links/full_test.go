// SPDX-License-Identifier: Apache-2.0

//go:build links

package links

// full says that every runtime is measured.
const full = true

func loads() []load { return []load{{1, 150}, {8, 600}, {64, 1500}} }
