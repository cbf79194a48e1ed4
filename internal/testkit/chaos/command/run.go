package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
	"galaxy/rtmanager/internal/testkit/chaos/report"
)

// run implements the command run.
func run(ctx context.Context, arguments []string, stdout io.Writer) (int, error) {
	o, err := parseRun(arguments, stdout)
	if err != nil {
		return ExitVoid, err
	}
	p, err := newPlan(ctx, o)
	if err != nil {
		return ExitVoid, err
	}
	defer p.close()
	p.print(stdout)
	if !o.isAllowed {
		return ExitVoid, errors.New("nothing was done: add --yes to run this")
	}
	return p.execute(ctx, stdout)
}

// execute makes the run, deletes its games, checks the recording and writes its page.
func (p *plan) execute(ctx context.Context, stdout io.Writer) (int, error) {
	if err := createDir(p.dir); err != nil {
		return ExitVoid, err
	}
	cfg := chaos.Config{Seed: p.seed, Dir: p.dir, Name: p.name(), Duration: p.duration, Traffic: p.traffic}
	cfg.Traffic.HTTP = p.client
	cfg.Log = func(format string, arguments ...any) { fmt.Fprintf(stdout, format+"\n", arguments...) }
	executeErr := chaos.Execute(ctx, p.env, cfg)
	recorded, err := recording.Read(p.dir)
	if err != nil {
		return ExitVoid, errors.Join(executeErr, err, fmt.Errorf("games %s-* may remain", p.name()))
	}
	deleteErr := deleteGames(context.WithoutCancel(ctx), p.client, p.daemons, recorded.Run.Games)
	if err := errors.Join(executeErr, deleteErr); err != nil {
		return ExitVoid, err
	}
	fmt.Fprintf(stdout, "%d games deleted\n", len(recorded.Run.Games))
	minimum := p.minimum
	if len(p.faults) > 0 {
		minimum.Faults = max(minimum.Faults, 1)
	}
	checked, err := report.CheckRecording(p.dir, report.Options{Minimum: minimum, Repeat: func(recording.Run) string { return p.repeat() }})
	if err != nil {
		return ExitVoid, err
	}
	result := report.NewRun(p.dir, checked)
	printRun(stdout, result)
	fmt.Fprintf(stdout, "report: %s\n", filepath.Join(p.dir, report.PageFile))
	return exitCode(result.Result()), nil
}

// createDir creates the directory of a recording, which only the operator can read.
func createDir(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // holds no recording itself
		return fmt.Errorf("create the directory of the recording: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("create the directory of the recording: %w", err)
	}
	return nil
}

// repeat returns the command that makes the same choices.
func (p *plan) repeat() string {
	words := []string{"chaos", "run"}
	for _, argument := range p.arguments {
		words = append(words, quote(argument))
	}
	if !strings.Contains(strings.Join(p.arguments, " "), "-seed") {
		words = append(words, "--seed", fmt.Sprint(p.seed))
	}
	return strings.Join(words, " ")
}

// quote returns a word of a shell command.
func quote(word string) string {
	isPlain := strings.IndexFunc(word, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_=/.:,", r)
	}) < 0
	if isPlain && word != "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
