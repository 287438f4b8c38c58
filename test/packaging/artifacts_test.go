// SPDX-License-Identifier: Apache-2.0

//go:build packaging

package packaging

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// Two builds of the same sources, in different places, give the same bytes.
func TestReproducible(t *testing.T) {
	sums := read(t, filepath.Join(os.Getenv(distVariable), "SHA256SUMS"))
	if n := strings.Count(sums, "\n"); n != 9 { // .deb, .rpm, tarball and SBOM of two architectures, one image
		t.Errorf("%d things were built, want 9:\n%s", n, sums)
	}
	for line := range strings.Lines(sums) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		for _, dir := range []string{distVariable, againVariable} {
			data := read(t, filepath.Join(os.Getenv(dir), name))
			if got := fmt.Sprintf("%x", sha256.Sum256([]byte(data))); got != sum {
				t.Errorf("%s of %s has checksum %s, want %s", name, dir, got, sum)
			}
		}
	}
}

// What is packed tells nothing of the machine it was built on.
func TestNoTraceOfTheBuilder(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	binary := read(t, agentBinary(t))
	for _, private := range []string{os.Getenv(distVariable), os.Getenv("HOME") + "/go", "/" + host + "/"} {
		if strings.Contains(binary, private) {
			t.Errorf("the program holds %q", private)
		}
	}
}

// tarEntries reads a tar.
func tarEntries(t *testing.T, r io.Reader) (headers []*tar.Header, contents map[string][]byte) {
	t.Helper()
	contents = map[string][]byte{}
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return headers, contents
		}
		if err != nil {
			t.Fatal(err)
		}
		if contents[h.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
		headers = append(headers, h)
	}
}

func TestTarball(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		f, err := os.Open(artifact(t, "tracer-agent-*-linux-"+arch+".tar.gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		packed, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		headers, contents := tarEntries(t, packed)
		top := headers[0].Name
		if !sort.SliceIsSorted(headers, func(i, j int) bool { return headers[i].Name < headers[j].Name }) {
			t.Errorf("%s: entries are not in order", arch)
		}
		for _, h := range headers {
			if !strings.HasPrefix(h.Name, top) || h.Uid != 0 || h.Gid != 0 || h.Mode&^0o755 != 0 || !h.ModTime.Equal(headers[0].ModTime) {
				t.Errorf("%s: %s has mode %o, owner %d:%d, time %s", arch, h.Name, h.Mode, h.Uid, h.Gid, h.ModTime)
			}
		}
		for _, name := range []string{"bin/tracer-agent", "lib/systemd/system/tracer-agent.service", "share/man/man8/tracer-agent.8.gz"} {
			if len(contents[top+name]) == 0 {
				t.Errorf("%s: no %s", arch, name)
			}
		}
	}
}

// agentBinary unpacks the tarball of this machine and returns the program: what
// the other tests run is what users get.
func agentBinary(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	command(t, "tar", "-xf", artifact(t, "tracer-agent-*-linux-amd64.tar.gz"), "-C", dir, "--strip-components=1")
	return filepath.Join(dir, "bin/tracer-agent")
}

func TestStatic(t *testing.T) {
	f, err := elf.Open(agentBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the program is linked dynamically: it has a %s segment", p.Type)
		}
	}
}

func TestSBOM(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		var bom struct {
			BOMFormat    string
			SerialNumber string
			Metadata     struct {
				Timestamp string
				Component struct{ Name, Version string }
			}
			Components []struct{ Name, Version, Purl string }
		}
		if err := json.Unmarshal([]byte(read(t, artifact(t, "*-linux-"+arch+".cdx.json"))), &bom); err != nil {
			t.Fatal(err)
		}
		main := bom.Metadata.Component
		if bom.BOMFormat != "CycloneDX" || main.Name != "github.com/tracer-agent/tracer-agent" || main.Version == "" || main.Version == "(devel)" {
			t.Errorf("%s: %s of %s %s", arch, bom.BOMFormat, main.Name, main.Version)
		}
		if bom.SerialNumber != "" || bom.Metadata.Timestamp != "" {
			t.Errorf("%s: serial number %q and time %q differ from build to build", arch, bom.SerialNumber, bom.Metadata.Timestamp)
		}
		listed := map[string]bool{}
		for _, c := range bom.Components {
			listed[c.Name] = c.Version != "" && strings.HasPrefix(c.Purl, "pkg:golang/")
		}
		for _, name := range []string{"std", "github.com/cilium/ebpf", "google.golang.org/grpc", "golang.org/x/sys"} {
			if !listed[name] {
				t.Errorf("%s: %s is not listed with version and purl", arch, name)
			}
		}
	}
}

// imageConfig is what the tests look at of an image's configuration.
type imageConfig struct {
	Architecture, OS string
	Config           struct {
		User       string
		Entrypoint []string
		Env        []string
	}
}

// descriptor is an OCI content descriptor.
type descriptor struct {
	Digest    string
	MediaType string
	Platform  struct{ Architecture, OS string }
}

// The image is an OCI layout with one image for each architecture, whose files
// nobody may write, and whose program runs with nothing else around it.
func TestImage(t *testing.T) {
	f, err := os.Open(artifact(t, "tracer-agent-*-image.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, files := tarEntries(t, f)
	blob := func(d descriptor, v any) {
		t.Helper()
		kind, sum, _ := strings.Cut(d.Digest, ":")
		data := files["blobs/"+kind+"/"+sum]
		if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != sum {
			t.Fatalf("blob %s has checksum %s", d.Digest, got)
		}
		if err := json.Unmarshal(data, v); err != nil {
			t.Fatal(err)
		}
	}
	var top, index struct{ Manifests []descriptor }
	if err := json.Unmarshal(files["index.json"], &top); err != nil || len(top.Manifests) != 1 {
		t.Fatalf("%d manifests in index.json, %v", len(top.Manifests), err)
	}
	blob(top.Manifests[0], &index)
	seen := map[string]bool{}
	for _, m := range index.Manifests {
		var manifest struct {
			Config descriptor
			Layers []descriptor
		}
		var config imageConfig
		blob(m, &manifest)
		blob(manifest.Config, &config)
		seen[m.Platform.OS+"/"+m.Platform.Architecture] = true
		if config.Architecture != m.Platform.Architecture || config.OS != "linux" || config.Config.User != "0:0" || len(config.Config.Env) != 0 {
			t.Errorf("configuration %+v of platform %+v", config, m.Platform)
		}
		if len(manifest.Layers) != 1 || !strings.HasSuffix(manifest.Layers[0].MediaType, "tar+gzip") {
			t.Fatalf("layers %+v", manifest.Layers)
		}
		_, sum, _ := strings.Cut(manifest.Layers[0].Digest, ":")
		checkLayer(t, m.Platform.Architecture, files["blobs/sha256/"+sum])
	}
	if !seen["linux/amd64"] || !seen["linux/arm64"] || len(seen) != 2 {
		t.Errorf("the image is for %v", seen)
	}
}

func checkLayer(t *testing.T, arch string, packed []byte) {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	headers, contents := tarEntries(t, r)
	for _, h := range headers {
		if h.Uid != 65532 || h.Gid != 65532 || h.Mode&0o7222 != 0 {
			t.Errorf("%s: %s has mode %o and owner %d:%d", arch, h.Name, h.Mode, h.Uid, h.Gid)
		}
	}
	if n := bytes.Count(contents["etc/ssl/certs/ca-certificates.crt"], []byte("BEGIN CERTIFICATE")); n < 50 {
		t.Errorf("%s: %d certificate authorities", arch, n)
	}
	if !bytes.Contains(contents["licences.txt"], []byte("github.com/cilium/ebpf")) {
		t.Errorf("%s: no licences of what is linked", arch)
	}
	if arch == "arm64" { // see TestArm64Runs
		if string(contents["tracer-agent"]) != read(t, armProgram(t)) {
			t.Error("the image for arm64 holds another program than the package")
		}
		return
	}
	root := t.TempDir()
	if err := os.WriteFile(root+"/tracer-agent", contents["tracer-agent"], 0o555); err != nil {
		t.Fatal(err)
	}
	if out := inRoot(t, root, "/tracer-agent", "version"); !strings.Contains(out, "linux/amd64") {
		t.Errorf("version printed %s", out)
	}
}
