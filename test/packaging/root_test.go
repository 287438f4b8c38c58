// SPDX-License-Identifier: Apache-2.0

//go:build packaging

package packaging

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// systemPackages are those of the clean Debian: what systemd needs to boot, and no more.
const systemPackages = "systemd,systemd-sysv"

// cleanRoot unpacks a Debian that has never seen the agent and returns its
// directory. It is made once and kept as a tar.
func cleanRoot(t *testing.T) string {
	t.Helper()
	tar := filepath.Join(os.Getenv(cacheVariable), "bookworm.tar")
	if _, err := os.Stat(tar); err != nil {
		part := tar + ".part"
		command(t, "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=tar", "--include="+systemPackages,
			"--aptopt=Acquire::Languages \"none\"", "--dpkgopt=path-exclude=/usr/share/locale/*", "bookworm", part)
		if err := os.Rename(part, tar); err != nil {
			t.Fatal(err)
		}
	}
	root := t.TempDir()
	command(t, "tar", "-xpf", tar, "-C", root, "--exclude=./dev/*")
	return root
}

// inRoot runs a command with root as its file system.
func inRoot(t *testing.T, root string, args ...string) string {
	t.Helper()
	return command(t, "chroot", append([]string{root}, args...)...)
}

// copyInto copies a file to a directory of root and returns its name there.
func copyInto(t *testing.T, root, file string) string {
	t.Helper()
	name := "/" + filepath.Base(file)
	command(t, "cp", file, root+name)
	t.Cleanup(func() { os.Remove(root + name) })
	return name
}

// listing describes every file below root as "mode owner:group path", but what
// package managers and logs write about themselves.
func listing(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, root)
		for _, skip := range []string{"/var/lib/dpkg", "/var/lib/rpm", "/var/log", "/var/cache", "/usr/lib/sysimage", "/dev/", "/tmp"} {
			if strings.HasPrefix(name, skip) {
				return nil
			}
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		files[name] = fmt.Sprintf("%v %d:%d", info.Mode(), st.Uid, st.Gid)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// added is what is in after and not in before.
func added(before, after map[string]string) map[string]string {
	more := map[string]string{}
	for name, what := range after {
		if _, ok := before[name]; !ok {
			more[name] = what
		}
	}
	return more
}

// same reports what differs between two listings.
func same(t *testing.T, before, after map[string]string) {
	t.Helper()
	for name, what := range before {
		if after[name] != what {
			t.Errorf("%s was %q, is %q", name, what, after[name])
		}
	}
	for name, what := range added(before, after) {
		t.Errorf("%s is left: %s", name, what)
	}
}

// installed are the files of the agent with their modes; nothing else is installed.
func installed(prefix string) map[string]string {
	const file, dir = "-rw-r--r-- 0:0", "drwxr-xr-x 0:0"
	files := map[string]string{
		prefix + "/bin/tracer-agent":                                  "-rwxr-xr-x 0:0",
		prefix + "/lib/systemd/system/tracer-agent.service":           file,
		prefix + "/share/bash-completion/completions/tracer-agent":    file,
		prefix + "/share/zsh/vendor-completions/_tracer-agent":        file,
		prefix + "/share/fish/vendor_completions.d/tracer-agent.fish": file,
		prefix + "/share/doc/tracer-agent":                            dir,
		prefix + "/share/doc/tracer-agent/examples":                   dir,
		prefix + "/share/doc/tracer-agent/examples/config.yaml":       file,
		"/etc/tracer-agent":                                           dir,
		"/etc/tracer-agent/config.yaml":                               "-rw-r----- 0:0",
	}
	for _, name := range []string{"README.md", "CHANGELOG.md", "LICENSE", "BSD-2-Clause.txt", "GPL-2.0-only.txt", "configuration.md", "metrics.md", "install.md", "security.md", "copyright", "third-party-licences.txt"} {
		files[prefix+"/share/doc/tracer-agent/"+name] = file
	}
	for _, name := range []string{"", "-run", "-check", "-why", "-demo", "-version"} {
		files[prefix+"/share/man/man8/tracer-agent"+name+".8.gz"] = file
	}
	return files
}

// hasInstalled compares what came with what should have come. Directories that
// other packages would have made too, such as /usr/share/zsh, may be there.
func hasInstalled(t *testing.T, prefix string, came map[string]string) {
	t.Helper()
	want := installed(prefix)
	for name, what := range want {
		if came[name] != what {
			t.Errorf("%s is %q, want %q", name, came[name], what)
		}
	}
	for name, what := range came {
		if _, ok := want[name]; !ok && what != "drwxr-xr-x 0:0" && !strings.Contains(name, "/man8/tracer-agent-") {
			t.Errorf("%s (%s) should not be there", name, what)
		}
	}
}
