package main

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

func codeOf(ts *testscript.TestScript, err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

func exitsCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits N COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if code := codeOf(ts, ts.Exec(args[1], args[2:]...)); code != want {
		ts.Fatalf("exit code %d, not %d", code, want)
	}
}

var gameLine = regexp.MustCompile(`(?m)^game_id: .*$`)

func renameCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: rename FILE GAME")
	}
	renamed := gameLine.ReplaceAllLiteralString(ts.ReadFile(args[0]), "game_id: "+strconv.Quote(args[1]))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(renamed), 0o600))
}

// differing is what may differ from one run to the next.
var differing = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "INSTANT"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(-[0-9a-f]+)?`), "ID"},
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), "URL"},
	{regexp.MustCompile(`\b\d+[smhd]\b`), "AGE"},
	{regexp.MustCompile(`[ \t]+`), " "},
	{regexp.MustCompile(` ?\n`), "\n"},
}

func printsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: prints FILE")
	}
	normalise := func(text string) string {
		for _, d := range differing {
			text = d.pattern.ReplaceAllString(text, d.word)
		}
		return strings.TrimSpace(text)
	}
	got, want := normalise(ts.ReadFile("stdout")), normalise(ts.ReadFile(args[0]))
	if (got == want) == neg {
		ts.Fatalf("printed\n%s\nwanted\n%s", got, want)
	}
}
