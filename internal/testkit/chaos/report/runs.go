package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// RunsFile is the file with the figures of all runs of a directory, one per line.
const RunsFile = "runs.ndjson"

// AddRun adds the figures of a run to RunsFile, and writes the summary of all its runs into the directory.
// Tests that are made one after the other add up. One caller at a time may add runs to a directory.
func AddRun(dir string, run Run) (Summary, error) {
	line, err := json.Marshal(run)
	if err != nil {
		return Summary{}, fmt.Errorf("add the run: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, RunsFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // not secret
	if err != nil {
		return Summary{}, fmt.Errorf("add the run: %w", err)
	}
	_, err = file.Write(append(line, '\n'))
	if err = errors.Join(err, file.Close()); err != nil {
		return Summary{}, fmt.Errorf("add the run: %w", err)
	}
	runs, err := ReadRuns(dir)
	if err != nil {
		return Summary{}, err
	}
	summary := Summarize(runs)
	return summary, summary.WriteFiles(dir)
}

// ReadRuns returns the figures of the runs in RunsFile, none if there is no such file.
func ReadRuns(dir string) (runs []Run, err error) {
	file, err := os.Open(filepath.Join(dir, RunsFile)) //nolint:gosec // the directory of the caller
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the runs: %w", err)
	}
	defer func() { _ = file.Close() }()
	for decoder := json.NewDecoder(file); ; {
		var run Run
		switch err := decoder.Decode(&run); {
		case errors.Is(err, io.EOF):
			return runs, nil
		case err != nil:
			return nil, fmt.Errorf("read the runs: %s, after %d runs: %w", RunsFile, len(runs), err)
		}
		runs = append(runs, run)
	}
}
