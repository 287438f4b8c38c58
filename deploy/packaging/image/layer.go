// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// owner is the user and group that the files belong to. Nothing runs as it, so
// that not even the agent's own user could write them.
const owner = 65532

// entry is one file or, without data, one directory of the layer.
type entry struct {
	name string
	mode int64
	data []byte
}

// newLayer returns the only layer: the binary at path, the authorities, and the
// licences of what the binary is made of.
func newLayer(path string, modified time.Time, licences []byte) (v1.Layer, error) {
	binary, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read binary: %w", err)
	}
	data, err := pack([]entry{
		{name: "etc/", mode: 0o555},
		{name: "etc/ssl/", mode: 0o555},
		{name: "etc/ssl/certs/", mode: 0o555},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o444, data: authorities()},
		{name: "licences.txt", mode: 0o444, data: licences},
		{name: "tracer-agent", mode: 0o555, data: binary},
	}, modified)
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	layer, err := tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("make layer: %w", err)
	}
	return layer, nil
}

func pack(entries []entry, modified time.Time) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.data)), Uid: owner, Gid: owner, ModTime: modified, Format: tar.FormatUSTAR, Typeflag: tar.TypeReg}
		if e.data == nil {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("pack %s: %w", e.name, err)
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, fmt.Errorf("pack %s: %w", e.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack layer: %w", err)
	}
	return buf.Bytes(), nil
}

// authorities are the roots of Mozilla's list in PEM, but those that are trusted
// under conditions that a file cannot express.
func authorities() []byte {
	var buf bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			pem.Encode(&buf, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a Buffer takes all
		}
	}
	return buf.Bytes()
}
