// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"
)

// defaultMemory is how much resident memory an agent may take, in bytes.
const defaultMemory = 128 << 20

// fault is one thing that goes wrong.
type fault struct {
	name         string
	protocol     string // of the export; gRPC if empty
	everyBackend bool   // the kernel's side takes part in it
	ends         bool   // the fault includes the agent's end
	maxMemory    int64  // bytes; 0: defaultMemory
	play         func(*stage, *outcome) error
}

func (f fault) memory() int64 {
	if f.maxMemory > 0 {
		return f.maxMemory
	}
	return defaultMemory
}

// faults lists all of them, in the table's order.
func faults() []fault {
	var list []fault
	for _, protocol := range []string{protocolGRPC, protocolHTTP} {
		list = append(list, collectorFaults(protocol)...)
	}
	return append(append(list, longFaults()...), kernelFaults()...)
}

// trial is a fault on a backend.
type trial struct {
	fault   fault
	backend string
}

// run plays the fault and looks at what became of everything.
func (t trial) run(s settings, number int) outcome {
	o := outcome{trial: t}
	s.dir = filepath.Join(s.dir, fmt.Sprint(number))
	st := &stage{settings: s, fault: t.fault, backend: t.backend, protocol: t.fault.protocol}
	if st.protocol == "" {
		st.protocol = protocolGRPC
	}
	defer st.close()
	err := st.open()
	if err == nil {
		err = t.fault.play(st, &o)
	}
	if err != nil {
		st.problemf("%v", err)
	}
	st.finish(&o)
	return o
}
