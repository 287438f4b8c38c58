// SPDX-License-Identifier: Apache-2.0

// Package main makes a program one that has thread-local variables of C beside
// Go's own, which then lies elsewhere.
package main

/*
static __thread char buffer[100] __attribute__((aligned(64))) = "x";
static __thread long counter;
static long touch(int i) { buffer[i]++; return counter += buffer[i]; }
*/
import "C"

var _ = C.touch(3)
