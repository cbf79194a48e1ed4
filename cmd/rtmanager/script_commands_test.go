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

func exitCode(ts *testscript.TestScript, err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

func exitcodeCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exitcode N COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if code := exitCode(ts, ts.Exec(args[1], args[2:]...)); code != want {
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

// volatile are the texts that differ between runs, and their replacements.
var volatile = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(-[0-9a-f]+)?`), "ID"},
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), "URL"},
	{regexp.MustCompile(`\b\d+[smhd]\b`), "AGE"},
	{regexp.MustCompile(`[ \t]+`), " "},
	{regexp.MustCompile(` ?\n`), "\n"},
}

func cmpoutputCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: cmpoutput FILE")
	}
	normalize := func(text string) string {
		for _, d := range volatile {
			text = d.pattern.ReplaceAllString(text, d.word)
		}
		return strings.TrimSpace(text)
	}
	got, want := normalize(ts.ReadFile("stdout")), normalize(ts.ReadFile(args[0]))
	if (got == want) == neg {
		ts.Fatalf("got\n%s\nwant\n%s", got, want)
	}
}
