// SPDX-License-Identifier: Apache-2.0

// Command sbom prints the bill of materials of a Go binary in CycloneDX's JSON: the
// modules that the linker recorded in it, with versions and checksums, and the
// version of Go. It holds no time and no serial number, so that the same binary
// always has the same one.
package main

import (
	"debug/buildinfo"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func main() {
	binary := flag.String("binary", "", "describe this binary")
	version := flag.String("version", "", "version of the binary")
	flag.Parse()
	if err := run(*binary, *version); err != nil {
		fmt.Fprintf(os.Stderr, "sbom: %v\n", err)
		os.Exit(1)
	}
}

func run(binary, version string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("read what the linker recorded in %s: %w", binary, err)
	}
	encoder := cdx.NewBOMEncoder(os.Stdout, cdx.BOMFileFormatJSON).SetPretty(true)
	if err := encoder.Encode(describe(info, version)); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func describe(info *debug.BuildInfo, version string) *cdx.BOM {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	main := component(&info.Main, cdx.ComponentTypeApplication)
	main.Version = version
	main.BOMRef, main.PackageURL = "pkg:golang/"+main.Name+"@"+version, "pkg:golang/"+main.Name+"@"+version
	components := []cdx.Component{{
		BOMRef: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go"), Type: cdx.ComponentTypeLibrary,
		Name: "std", Version: info.GoVersion, PackageURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go"),
	}}
	for _, dep := range info.Deps {
		components = append(components, component(dep, cdx.ComponentTypeLibrary))
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &main, Properties: &[]cdx.Property{
		{Name: "build:GOOS", Value: settings["GOOS"]},
		{Name: "build:GOARCH", Value: settings["GOARCH"]},
		{Name: "build:CGO_ENABLED", Value: settings["CGO_ENABLED"]},
	}}
	bom.Components = &components
	bom.Dependencies = dependsOn(main, components)
	return bom
}

// component describes a module, or what replaced it.
func component(m *debug.Module, kind cdx.ComponentType) cdx.Component {
	if m.Replace != nil {
		m = m.Replace
	}
	url := "pkg:golang/" + m.Path + "@" + m.Version
	c := cdx.Component{BOMRef: url, Type: kind, Name: m.Path, Version: m.Version, PackageURL: url}
	if m.Sum != "" { // over the module's list of files, not over an archive
		c.Properties = &[]cdx.Property{{Name: "go.sum", Value: m.Sum}}
	}
	return c
}

// dependsOn says that main is made of all of components; how they depend on each
// other the binary does not tell.
func dependsOn(main cdx.Component, components []cdx.Component) *[]cdx.Dependency {
	var refs []string
	for _, c := range components {
		refs = append(refs, c.BOMRef)
	}
	return &[]cdx.Dependency{{Ref: main.BOMRef, Dependencies: &refs}}
}
