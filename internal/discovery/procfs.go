// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
)

// Bounds on what is read of one process.
const (
	maxArgv    = 64 << 10
	maxEnviron = 2 << 20
	maxStatus  = 16 << 10
)

// procFS is a proc filesystem at a root path.
type procFS struct {
	root       string
	fs         procfs.FS
	containers *containerNames
	paths      podPaths
	pods       Pods // nil: nothing is known of pods
}

func newProcFS(root string, containers *containerNames) (*procFS, error) {
	fs, err := procfs.NewFS(root)
	if err != nil {
		return nil, fmt.Errorf("open proc filesystem %s: %w", root, err)
	}
	f := &procFS{root: root, fs: fs, containers: containers}
	if lines, err := f.cgroupLines(1); err == nil { // else no path counts but those that begin at /
		f.paths = newPodPaths(lines)
	}
	return f, nil
}

func (f *procFS) cgroupLines(pid int) ([]procfs.Cgroup, error) {
	proc, err := f.fs.Proc(pid)
	if err != nil {
		return nil, err
	}
	return proc.Cgroups()
}

// cgroupOf judges the lines of a process. In a pod the container is the one that
// the pod's own cgroup holds: below, the container may make what it likes.
func (f *procFS) cgroupOf(lines []procfs.Cgroup) cgroup {
	cg := parseCgroup(lines)
	if cg.pod = f.paths.of(lines); cg.pod != nil {
		cg.container.id, cg.container.runtime, cg.container.claimed = cg.pod.container, "", false
		if cg.pod.contradictory {
			cg.container.id = ""
		}
	}
	return cg
}

func (f *procFS) path(pid uint32, name string) string {
	return f.root + "/" + strconv.FormatUint(uint64(pid), 10) + "/" + name
}

// pids returns the ids of all processes in rising order.
func (f *procFS) pids() ([]uint32, error) {
	dir, err := os.Open(f.root)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	pids := make([]uint32, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.ParseUint(name, 10, 32); err == nil {
			pids = append(pids, uint32(pid))
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// ErrNoProcess means that there is no user program behind a pid: it has
// ended, or is about to, or is a kernel thread.
var ErrNoProcess = errors.New("no running user process")

// open reads a process's stat. The error is ErrNoProcess if it has none worth judging.
func (f *procFS) open(pid uint32) (*process, error) {
	data, err := readFile(f.path(pid, "stat"), maxStatus)
	if err != nil {
		return nil, fmt.Errorf("pid %d: %w", pid, ErrNoProcess)
	}
	st, err := parseStat(data)
	if err != nil {
		return nil, fmt.Errorf("pid %d: %w", pid, err)
	}
	if st.ended() || st.kernelThread() {
		return nil, fmt.Errorf("pid %d: %w", pid, ErrNoProcess)
	}
	return &process{fs: f, pid: pid, stat: st}, nil
}

// readFile reads a proc file without asking for its size, at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	buf := make([]byte, 0, 1024)
	for int64(len(buf)) < limit {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, len(buf))
		}
		n, err := file.Read(buf[len(buf):min(int64(cap(buf)), limit)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return buf, nil
}

// lazy is a value that is read once.
type lazy[T any] struct {
	done bool
	val  T
	err  error
}

func (l *lazy[T]) get(read func() (T, error)) (T, error) {
	if !l.done {
		l.val, l.err = read()
		l.done = true
	}
	return l.val, l.err
}

// process is a snapshot of one process, each attribute read when first asked
// for. Not safe for concurrent use.
type process struct {
	fs   *procFS
	pid  uint32
	stat procStat

	lazyExe    lazy[string]
	lazyArgv   lazy[[]string]
	lazyEUID   lazy[uint32]
	lazyCgroup lazy[cgroup]
}

// exe returns the path of the executable in the process's mount namespace.
func (p *process) exe() (string, error) {
	return p.lazyExe.get(func() (string, error) {
		exe, err := os.Readlink(p.fs.path(p.pid, "exe"))
		return strings.TrimSuffix(exe, " (deleted)"), err
	})
}

// argv returns the arguments as the process shows them now.
func (p *process) argv() ([]string, error) {
	return p.lazyArgv.get(func() ([]string, error) {
		data, err := readFile(p.fs.path(p.pid, "cmdline"), maxArgv)
		if err != nil {
			return nil, err
		}
		return splitArgv(data), nil
	})
}

// splitArgv splits at NUL. Trailing NULs, which rewritten titles leave, are dropped.
func splitArgv(data []byte) []string {
	data = bytes.TrimRight(data, "\x00")
	if len(data) == 0 {
		return nil
	}
	return strings.Split(string(data), "\x00")
}

// euid returns the effective user id.
func (p *process) euid() (uint32, error) {
	return p.lazyEUID.get(func() (uint32, error) {
		data, err := readFile(p.fs.path(p.pid, "status"), maxStatus)
		if err != nil {
			return 0, err
		}
		return parseEUID(data)
	})
}

var errNoUID = errors.New("status has no Uid line")

// parseEUID reads the second number of "Uid:" (real, effective, saved, filesystem).
func parseEUID(status []byte) (uint32, error) {
	for line := range bytes.Lines(status) {
		rest, ok := bytes.CutPrefix(line, []byte("Uid:"))
		if !ok {
			continue
		}
		fields := bytes.Fields(rest)
		if len(fields) < 2 {
			return 0, errNoUID
		}
		uid, err := strconv.ParseUint(string(fields[1]), 10, 32)
		return uint32(uid), err
	}
	return 0, errNoUID
}

// cgroup returns what the process's cgroup paths tell.
func (p *process) cgroup() (cgroup, error) {
	return p.lazyCgroup.get(func() (cgroup, error) {
		lines, err := p.fs.cgroupLines(int(p.pid))
		if err != nil {
			return cgroup{}, err
		}
		return p.fs.cgroupOf(lines), nil
	})
}

// environ returns the values of the named variables of the process's initial
// environment and nothing else of it. A bounded part of it is looked at.
func (p *process) environ(names ...string) (map[string]string, error) {
	data, err := readFile(p.fs.path(p.pid, "environ"), maxEnviron)
	if err != nil {
		return nil, err
	}
	return pickEnviron(data, names), nil
}

func pickEnviron(data []byte, names []string) map[string]string {
	found := map[string]string{}
	for entry := range bytes.SplitSeq(data, []byte{0}) {
		key, value, ok := bytes.Cut(entry, []byte{'='})
		if !ok || !slices.Contains(names, string(key)) {
			continue
		}
		if _, dup := found[string(key)]; !dup { // getenv returns the first
			found[string(key)] = string(value)
		}
	}
	return found
}

// netns names the network namespace of the process.
func (p *process) netns() (string, error) {
	return os.Readlink(p.fs.path(p.pid, filepath.Join("ns", "net")))
}
