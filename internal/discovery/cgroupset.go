// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// maxCgroups bounds the selected cgroups: the size of the kernel's map.
const maxCgroups = 4096

// cgroupSet is the cgroup v2 directories that the kernel was told to select.
type cgroupSet struct {
	fs       *procFS
	mount    string            // where the v2 hierarchy is mounted; "" before it was looked for
	root     string            // path of the mount's root in the hierarchy, as /proc/PID/cgroup counts
	selected map[uint64]string // id → directory
}

func newCgroupSet(fs *procFS) *cgroupSet {
	return &cgroupSet{fs: fs, selected: map[uint64]string{}}
}

var errNoCgroup2 = errors.New("no cgroup v2 hierarchy is mounted")

// find reads the mount point. It may be /sys/fs/cgroup, /sys/fs/cgroup/unified
// or anything else.
func (s *cgroupSet) find() error {
	if s.mount != "" {
		return nil
	}
	self, err := s.fs.fs.Self()
	if err != nil {
		return fmt.Errorf("read mounts: %w", err)
	}
	mounts, err := self.MountInfo()
	if err != nil {
		return fmt.Errorf("read mounts: %w", err)
	}
	found := false
	var best cgroupPath
	for _, m := range mounts {
		if m.FSType != "cgroup2" {
			continue
		}
		// In a container there may be its own part of the hierarchy besides the host's.
		root := splitCgroupPath(m.Root)
		if !found || root.ups > best.ups || root.ups == best.ups && len(root.names) < len(best.names) {
			s.mount, s.root, best, found = m.MountPoint, m.Root, root, true
		}
	}
	if !found {
		return errNoCgroup2
	}
	return nil
}

// path returns the cgroup path of a directory below the mount.
func (s *cgroupSet) path(dir string) string {
	return strings.TrimSuffix(s.root, "/") + "/" + strings.TrimPrefix(strings.TrimPrefix(dir, s.mount), "/")
}

// dir returns the directory of a cgroup path, false if the mount does not show it.
func (s *cgroupSet) dir(cgroupPath string) (string, bool) {
	if s.mount == "" || cgroupPath == "" {
		return "", false
	}
	rest, ok := strings.CutPrefix(cgroupPath, strings.TrimSuffix(s.root, "/"))
	if !ok || strings.HasPrefix(rest, "/..") || rest != "" && rest[0] != '/' {
		return "", false
	}
	return s.mount + rest, true
}

// cgroupID returns the id by which the kernel knows a cgroup v2 directory: its inode.
func cgroupID(dir string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return 0, fmt.Errorf("stat cgroup %s: %w", dir, err)
	}
	return st.Ino, nil
}

// selectsCgroup tells whether all processes of a cgroup are selected whatever
// they are: a rule of cgroups only matches, and no exclude rule could apply
// there that has to see the process. Ports-only exclude rules are left to the
// kernel, which sees the process listen.
func (m *Matcher) selectsCgroup(fs *procFS, cg cgroup) bool {
	p := &process{fs: fs, lazyCgroup: lazy[cgroup]{done: true, val: cg}}
	for i := range m.exclude {
		if r := &m.exclude[i]; len(r.criteria) > 0 && !r.elsewhere(p) {
			return false
		}
	}
	for i := range m.include {
		if r := &m.include[i]; r.cgroup && r.match(p) == yes {
			return true
		}
	}
	return false
}

// elsewhere tells whether the rule's cgroup criteria rule out p's cgroup.
func (r *rule) elsewhere(p *process) bool {
	for i := range r.criteria {
		if c := &r.criteria[i]; c.cgroup && c.test(p) == no {
			return true
		}
	}
	return false
}

// selectsCgroups tells whether any cgroup could be selected as a whole.
func (m *Matcher) selectsCgroups() bool {
	for i := range m.include {
		if m.include[i].cgroup {
			return true
		}
	}
	return false
}

// selectCgroup selects the cgroup of a process that was selected, so that the
// next process in it is covered from its first instruction. Callers hold mu.
func (d *Discovery) selectCgroup(p *process, v Verdict) {
	if v.State != StateSelected || !d.matcher.selectsCgroups() {
		return
	}
	cg, err := p.cgroup()
	if err != nil || !d.matcher.selectsCgroup(d.fs, cg) {
		return
	}
	dir, ok := d.cgroups.dir(cg.v2)
	if !ok {
		return
	}
	if id, err := cgroupID(dir); err == nil {
		d.setCgroup(id, dir)
	}
}

func (d *Discovery) setCgroup(id uint64, dir string) {
	if _, ok := d.cgroups.selected[id]; ok {
		return
	}
	if len(d.cgroups.selected) >= maxCgroups {
		d.stats.LimitHit++
		return
	}
	if err := d.kernel.SetCgroup(id, true); err != nil {
		d.stats.KernelErrors++
		return
	}
	d.cgroups.selected[id] = dir
}

// syncCgroups walks the v2 hierarchy, selects what the rules name and
// unselects what is gone.
func (d *Discovery) syncCgroups() error {
	if !d.matcher.selectsCgroups() {
		d.pruneCgroups()
		return nil
	}
	if err := d.watch.open(); err != nil {
		d.opts.Log.Debug("new cgroups are found by rescans only", "error", err)
	}
	d.mu.Lock()
	err := d.cgroups.find()
	mount := d.cgroups.mount
	d.mu.Unlock()
	if err != nil {
		return err
	}
	err = d.walkCgroups(mount)
	d.pruneCgroups()
	return err
}

// walkCgroups selects what the rules name at and below a directory, and has it
// watched for new ones.
func (d *Discovery) walkCgroups(top string) error {
	return filepath.WalkDir(top, func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil // a cgroup that vanished while it was walked
		}
		d.watch.add(dir) // before it is listed, so that none is missed
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.cgroupMatches(dir) {
			return nil
		}
		if id, err := cgroupID(dir); err == nil {
			d.setCgroup(id, dir)
		}
		return nil
	})
}

// cgroupMatches tells whether the rules name a directory as a whole. Callers hold mu.
func (d *Discovery) cgroupMatches(dir string) bool {
	cg := d.fs.cgroupOf([]procfs.Cgroup{{HierarchyID: 0, Path: d.cgroups.path(dir)}})
	return d.matcher.selectsCgroup(d.fs, cg)
}

// pruneCgroups unselects what is gone or is not named any more.
func (d *Discovery) pruneCgroups() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, dir := range d.cgroups.selected {
		if now, err := cgroupID(dir); err == nil && now == id && d.cgroupMatches(dir) {
			continue
		}
		if err := d.kernel.SetCgroup(id, false); err != nil {
			d.stats.KernelErrors++
			continue
		}
		delete(d.cgroups.selected, id)
	}
}
