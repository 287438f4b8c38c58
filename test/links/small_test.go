// SPDX-License-Identifier: Apache-2.0

//go:build integration && !links

package links

// full says that every runtime is measured.
const full = false

func loads() []load { return []load{{1, 50}, {16, 300}} }
