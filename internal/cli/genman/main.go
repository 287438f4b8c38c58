// SPDX-License-Identifier: Apache-2.0

// Command genman writes what packages install of the command line: manual pages
// (man8/*.gz) and completion for shells (completion/{bash,zsh,fish}), below -out.
// SOURCE_DATE_EPOCH dates the pages; the same command line gives the same bytes.
package main

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/tracer-agent/tracer-agent/internal/cli"
)

func main() {
	out := flag.String("out", "", "write below this directory")
	version := flag.String("version", "", "version that the pages name")
	flag.Parse()
	if err := generate(*out, *version, os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		fmt.Fprintf(os.Stderr, "genman: %v\n", err)
		os.Exit(1)
	}
}

func generate(out, version, epoch string) error {
	date, err := parseEpoch(epoch)
	if err != nil {
		return err
	}
	root := cli.Command(cli.Build{Version: version})
	if err := writePages(filepath.Join(out, "man8"), root, date); err != nil {
		return err
	}
	return writeCompletion(filepath.Join(out, "completion"), root)
}

// parseEpoch reads seconds since 1970; nothing is 1970 itself, not today.
func parseEpoch(text string) (time.Time, error) {
	if text == "" {
		text = "0"
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH %q is not a number of seconds", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// writePages writes one page for cmd and one for each command below it.
func writePages(dir string, cmd *cobra.Command, date time.Time) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make directory for pages: %w", err)
	}
	cmd.DisableAutoGenTag = true
	header := doc.GenManHeader{
		Title: strings.ToUpper(pageName(cmd)), Section: "8", Date: &date,
		Source: "tracer-agent " + cmd.Root().Version, Manual: "tracer-agent",
	}
	var page bytes.Buffer
	if err := doc.GenMan(cmd, &header, &page); err != nil {
		return fmt.Errorf("make the page of %s: %w", cmd.CommandPath(), err)
	}
	if err := writeCompressed(filepath.Join(dir, pageName(cmd)+".8.gz"), page.Bytes()); err != nil {
		return err
	}
	for _, child := range cmd.Commands() {
		if !child.IsAvailableCommand() || child.IsAdditionalHelpTopicCommand() {
			continue
		}
		if err := writePages(dir, child, date); err != nil {
			return err
		}
	}
	return nil
}

func pageName(cmd *cobra.Command) string {
	return strings.ReplaceAll(cmd.CommandPath(), " ", "-")
}

// writeCompressed compresses as "gzip -n" does: without name and time.
func writeCompressed(name string, data []byte) error {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return fmt.Errorf("compress %s: %w", name, err)
	}
	if _, err := w.Write(data); err != nil {
		return fmt.Errorf("compress %s: %w", name, err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("compress %s: %w", name, err)
	}
	return os.WriteFile(name, packed.Bytes(), 0o644)
}

func writeCompletion(dir string, root *cobra.Command) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make directory for completion: %w", err)
	}
	for shell, write := range map[string]func(string) error{
		"bash": func(name string) error { return root.GenBashCompletionFileV2(name, true) },
		"zsh":  root.GenZshCompletionFile,
		"fish": func(name string) error { return root.GenFishCompletionFile(name, true) },
	} {
		if err := write(filepath.Join(dir, shell)); err != nil {
			return fmt.Errorf("write completion for %s: %w", shell, err)
		}
	}
	return nil
}
