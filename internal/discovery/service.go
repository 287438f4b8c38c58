// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"path"
	"strconv"
	"strings"
)

// interpreter says how a language's launcher takes its arguments.
type interpreter struct {
	names  []string // base names of the executable, version digits and dots removed
	module []string // options whose value names the program
	value  []string // options with a separate value that is not the program
	inline []string // options after which there is no script: the program is in the argument
	cut    []string // suffixes removed from the script's name
}

func interpreters() []interpreter {
	return []interpreter{
		{names: []string{"python", "pypy"}, module: []string{"-m"}, value: []string{"-W", "-X", "--check-hash-based-pycs"}, inline: []string{"-c", "-"}, cut: []string{".py", ".pyc"}},
		{names: []string{"node", "nodejs"}, value: []string{"-r", "--require", "--import", "--loader", "-C"}, inline: []string{"-e", "--eval", "-p", "--print", "-"}, cut: []string{".js", ".mjs", ".cjs", ".ts"}},
		{names: []string{"ruby"}, value: []string{"-I", "-r", "-C", "-E"}, inline: []string{"-e", "-"}, cut: []string{".rb"}},
		{names: []string{"java"}, module: []string{"-jar", "-m", "--module"}, value: []string{"-cp", "-classpath", "--class-path", "-p", "--module-path", "--add-modules", "--add-opens", "--add-exports", "--add-reads"}, cut: []string{".jar", ".war"}},
		{names: []string{"perl"}, value: []string{"-I"}, inline: []string{"-e", "-E", "-"}, cut: []string{".pl", ".psgi"}},
	}
}

// programName names what runs: the executable's base name, or for a known
// interpreter the base name of its script, module, jar or class if the
// arguments show it.
func programName(exe string, argv []string) string {
	base := path.Base(exe)
	name := strings.TrimRight(base, "0123456789.-")
	for _, in := range interpreters() {
		for _, known := range in.names {
			if name != known {
				continue
			}
			if script := in.script(argv); script != "" {
				return script
			}
			return base
		}
	}
	return base
}

// script finds the program among an interpreter's arguments, "" if it is not recognisable.
func (in interpreter) script(argv []string) string {
	for i := 1; i < len(argv); i++ {
		arg := argv[i]
		if contains(in.inline, arg) {
			return ""
		}
		if contains(in.module, arg) {
			if i+1 < len(argv) {
				return in.short(argv[i+1])
			}
			return ""
		}
		if contains(in.value, arg) {
			i++
			continue
		}
		if arg != "" && !strings.HasPrefix(arg, "-") {
			return in.short(arg)
		}
	}
	return ""
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// short takes the base name of a path without its suffix. Of a Java class or
// module/class it is the simple class name.
func (in interpreter) short(program string) string {
	name := path.Base(program)
	for _, suffix := range in.cut {
		if rest, ok := strings.CutSuffix(name, suffix); ok && rest != "" {
			return rest
		}
	}
	if in.names[0] == "java" {
		name = name[strings.LastIndexByte(name, '.')+1:]
	}
	return name
}

// unitService is a unit's name for people: without ".service", systemd's
// \xNN escapes undone.
func unitService(unit string) string {
	name := strings.TrimSuffix(unit, ".service")
	if !strings.Contains(name, `\x`) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if strings.HasPrefix(name[i:], `\x`) && i+4 <= len(name) {
			if c, err := strconv.ParseUint(name[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(name[i])
	}
	return b.String()
}
