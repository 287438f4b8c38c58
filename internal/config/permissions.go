// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/tracer-agent/tracer-agent/internal/kube"
)

// A configuration decides which processes are read and where that is sent. It
// is believed only if nobody can have written it but root, the user that the
// agent runs as, or who called sudo; the same holds for the directory that it
// lies in. A file that holds a secret and can be read by others is only warned
// of: Kubernetes mounts Secrets that way unless it is told otherwise.
const (
	groupRead  = 0o040
	groupWrite = 0o020
	otherRead  = 0o004
	otherWrite = 0o002
)

// identity is who the agent runs for.
type identity struct {
	uids, gids []uint32
}

func ownIdentity(env map[string]string) identity {
	id := identity{
		uids: []uint32{0, uint32(os.Geteuid())},
		gids: []uint32{0, uint32(os.Getegid())},
	}
	if uid, err := strconv.ParseUint(env["SUDO_UID"], 10, 32); err == nil && os.Geteuid() == 0 {
		id.uids = append(id.uids, uint32(uid))
	}
	return id
}

// inode is what decides who may do what with a file.
type inode struct {
	mode     fs.FileMode
	uid, gid uint32
}

func inodeOf(info fs.FileInfo) inode {
	st := info.Sys().(*syscall.Stat_t) // always, on Linux
	return inode{mode: info.Mode(), uid: st.Uid, gid: st.Gid}
}

// writers says who else could have written n, "" for nobody.
func (id identity) writers(n inode) string {
	switch {
	case !slices.Contains(id.uids, n.uid):
		return fmt.Sprintf("user %d, its owner,", n.uid)
	case n.mode&otherWrite != 0:
		return "everybody"
	case n.mode&groupWrite != 0 && !slices.Contains(id.gids, n.gid):
		return fmt.Sprintf("group %d", n.gid)
	}
	return ""
}

// readers says who else can read n, "" for nobody.
func (id identity) readers(n inode) string {
	switch {
	case n.mode&otherRead != 0:
		return "everybody"
	case n.mode&groupRead != 0 && !slices.Contains(id.gids, n.gid):
		return fmt.Sprintf("group %d", n.gid)
	}
	return ""
}

// trust returns an error if the open file could have been written by somebody
// who has no say in what is traced. Pipes and the like are not looked at.
func (id identity) trust(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return errors.Unwrap(err)
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	if who := id.writers(inodeOf(info)); who != "" {
		return fmt.Errorf("%s can write it (mode %04o) and so decide what is traced; it must belong to root or to the user that the agent runs as, and be writable by nobody else", who, info.Mode().Perm())
	}
	target, err := filepath.EvalSymlinks(f.Name())
	if err != nil {
		return nil // it was replaced meanwhile, as reloading will find
	}
	dir, err := os.Stat(filepath.Dir(target))
	if err != nil {
		return nil
	}
	if dir.Mode()&otherWrite != 0 && dir.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("everybody can replace it, because its directory has mode %04o; take away the right to write there", dir.Mode().Perm())
	}
	return nil
}

// trustKubeconfig reports a kubeconfig, or a file that it names, that others could
// have written: the server that they speak of decides which pods are traced. What
// cannot be opened is reported by who uses it.
func (l *loader) trustKubeconfig(id identity) {
	kubeconfig := l.cfg.Kubernetes.Kubeconfig
	if kubeconfig == "" {
		return
	}
	names := []string{kubeconfig}
	for _, f := range kube.FilesOf(kubeconfig) {
		names = append(names, f.Name)
	}
	for _, name := range names {
		if err := id.trustNamed(name); err != nil {
			l.report("kubernetes.kubeconfig", fmt.Errorf("%s is not used: %w", name, err))
		}
	}
}

// trustNamed is trust for a file by its name, if it can be opened.
func (id identity) trustNamed(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	return id.trust(f)
}

// Warnings returns what is unwise about where c, as loaded from s, has its
// secrets, but does not keep the agent from running.
func (s Source) Warnings(c Config) Problems {
	env := environment(s.Env)
	id := ownIdentity(env)
	var out Problems
	for _, file := range secretFiles(c, env) {
		if who := id.readersOf(file.name); who != "" {
			out = append(out, Problem{Where: Place{Source: file.name}, Message: fmt.Sprintf("%s can read the secret in it (%s); chmod 0600, or defaultMode: 0400 of a Secret", who, file.setting)})
		}
	}
	if len(c.Export.OTLP.Headers) > 0 && s.File != "" {
		if who := id.readersOf(s.File); who != "" {
			out = append(out, Problem{Where: Place{Source: s.File}, Path: "export.otlp.headers", Message: fmt.Sprintf("%s can read these headers; chmod 0600, or use OTEL_EXPORTER_OTLP_HEADERS for secrets", who)})
		}
	}
	return out
}

// secretFile is a file that holds a private key or a token, and what names it.
type secretFile struct {
	name, setting string
}

func secretFiles(c Config, env map[string]string) []secretFile {
	var files []secretFile
	if c.Kubernetes.Kubeconfig != "" {
		files = append(files, secretFile{c.Kubernetes.Kubeconfig, "kubernetes.kubeconfig"})
		for _, f := range kube.FilesOf(c.Kubernetes.Kubeconfig) {
			if f.Secret {
				files = append(files, secretFile{f.Name, f.Key + " of kubernetes.kubeconfig"})
			}
		}
	}
	if c.Export.OTLP.TLS.KeyFile != "" {
		return append(files, secretFile{c.Export.OTLP.TLS.KeyFile, "export.otlp.tls.key_file"})
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"} {
		if env[name] != "" {
			return append(files, secretFile{env[name], name})
		}
	}
	return files
}

// readersOf is readers for a regular file by its name; a file that is not there
// is somebody else's problem.
func (id identity) readersOf(name string) string {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return id.readers(inodeOf(info))
}
