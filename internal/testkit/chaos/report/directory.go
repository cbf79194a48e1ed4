package report

import (
	"fmt"
	"os"
	"path/filepath"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// Options are how recordings are checked.
type Options struct {
	// Minimum is what each run must have; other runs are void.
	Minimum check.Minimum
	// Repeat returns the command that makes a run once more; nil has none.
	Repeat func(run recording.Run) string
	// Done receives each run after its page is written, in the order of the names; nil discards them.
	Done func(run Run)
}

// Recordings returns the directories that have a complete recording: the directory itself, or those
// directly below it, ordered by name. It fails if there is none.
func Recordings(dir string) ([]string, error) {
	if isRecording(dir) {
		return []string{dir}, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("find recordings: %w", err)
	}
	var found []string
	for _, entry := range entries {
		if below := filepath.Join(dir, entry.Name()); isRecording(below) {
			found = append(found, below)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("directory %s has no recording: neither it nor a directory in it has a file %s", dir, recording.RunFile)
	}
	return found, nil
}

func isRecording(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, recording.RunFile))
	return err == nil && info.Mode().IsRegular()
}

// CheckDirectory checks the recordings of Recordings, writes the page of each run into its
// directory, and their summary into dir. The error is that of a file; what the runs broke is in the summary.
func CheckDirectory(dir string, options Options) (Summary, error) {
	dirs, err := Recordings(dir)
	if err != nil {
		return Summary{}, err
	}
	var runs []Run
	for _, one := range dirs {
		in, err := CheckRecording(one, options)
		if err != nil {
			return Summary{}, err
		}
		name, err := filepath.Rel(dir, one)
		if err != nil {
			return Summary{}, fmt.Errorf("write the summary: %w", err)
		}
		run := NewRun(name, in)
		if runs = append(runs, run); options.Done != nil {
			options.Done(run)
		}
	}
	summary := Summarize(runs)
	return summary, summary.WriteFiles(dir)
}

// CheckRecording checks the recording in the directory and writes its page.
func CheckRecording(dir string, options Options) (Input, error) {
	recorded, err := recording.Read(dir)
	if err != nil {
		return Input{}, fmt.Errorf("check %s: %w", dir, err)
	}
	in := Input{Recording: recorded, Check: check.Check(recorded)}
	in.Void = in.Check.Void(options.Minimum)
	if options.Repeat != nil {
		in.Repeat = options.Repeat(recorded.Run)
	}
	return in, WriteFile(dir, in)
}
