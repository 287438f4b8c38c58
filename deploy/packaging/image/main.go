// SPDX-License-Identifier: Apache-2.0

// Command image builds the container image of tracer-agent for several
// architectures without a registry or a daemon: a tar of an OCI image layout, for
// "podman pull oci-archive:FILE", "skopeo copy" or "ctr image import". Each image
// holds the static binary, the certificate authorities of Mozilla's list and licences, owned
// by a user that nothing runs as. The same arguments give the same bytes.
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	version := flag.String("version", "", "version of what is packed")
	out := flag.String("out", "", "write the archive to this file")
	licences := flag.String("licences", "", "file with the licences of what the binaries are made of")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: image -version VERSION -out FILE ARCH=BINARY...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(*version, *out, *licences, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "image: %v\n", err)
		os.Exit(1)
	}
}

func run(version, out, licences string, binaries []string) error {
	created, err := epoch()
	if err != nil {
		return err
	}
	texts, err := os.ReadFile(licences)
	if err != nil {
		return fmt.Errorf("read licences: %w", err)
	}
	index, err := newIndex(version, created, texts, binaries)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "image-")
	if err != nil {
		return fmt.Errorf("make a working directory: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := writeLayout(dir, index, version); err != nil {
		return err
	}
	return archive(dir, out, created)
}

// epoch is SOURCE_DATE_EPOCH, seconds since 1970.
func epoch() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH %q is not a number of seconds", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// splitBinary reads "amd64=path".
func splitBinary(arg string) (arch, path string, err error) {
	arch, path, ok := strings.Cut(arg, "=")
	if !ok || arch == "" || path == "" {
		return "", "", fmt.Errorf("%q is not ARCH=BINARY", arg)
	}
	return arch, path, nil
}
