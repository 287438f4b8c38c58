// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"bytes"
	"compress/gzip"
	"testing"
	"testing/fstest"
)

func TestPreemptionModel(t *testing.T) {
	const config = "CONFIG_PREEMPT_BUILD=y\nCONFIG_PREEMPT_NONE=y\n# CONFIG_PREEMPT is not set\nCONFIG_PREEMPT_DYNAMIC=y\n"
	var compressed bytes.Buffer
	z := gzip.NewWriter(&compressed)
	if _, err := z.Write([]byte(config)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		files      map[string]string
	}{
		{"nothing can be read", "", nil},
		{"in force", "voluntary", map[string]string{"sys/kernel/debug/sched/preempt": "none (voluntary) full \n", "proc/cmdline": "preempt=full"}},
		{"in force, of the host", "lazy", map[string]string{"proc/1/root/sys/kernel/debug/sched/preempt": "full (lazy) \n"}},
		{"asked for at boot", "full", map[string]string{"proc/cmdline": "quiet preempt=full root=/dev/sda\n", "boot/config-6.1": config}},
		{"chosen at build", "none", map[string]string{"proc/cmdline": "quiet nopreempt=1\n", "proc/config.gz": compressed.String()}},
		{"chosen at build, of the host", "none", map[string]string{"proc/1/root/boot/config-6.1": config}},
		{"of another kernel", "", map[string]string{"boot/config-6.2": config}},
		{"real time", "full", map[string]string{"boot/config-6.1": "CONFIG_PREEMPT_RT=y\n"}},
		{"unclear", "", map[string]string{"sys/kernel/debug/sched/preempt": "new words\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range c.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if got := preemptionModel(root, "6.1"); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
