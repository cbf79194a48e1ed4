package recording

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Recording is a whole recording.
type Recording struct {
	Run     Run
	Calls   []Call   // in the order of their returns
	Events  []Event  // of each watcher in order
	Faults  []Fault  // in the order of their ends
	Changes []Change // in the order of revisions
	Samples []Sample // in the order of time
}

// Read reads the recording in the directory.
func Read(dir string) (*Recording, error) {
	var r Recording
	content, err := os.ReadFile(filepath.Join(dir, RunFile)) //nolint:gosec // the directory of the caller
	if err != nil {
		return nil, fmt.Errorf("read the recording: %w", err)
	}
	if err := json.Unmarshal(content, &r.Run); err != nil {
		return nil, fmt.Errorf("read the recording: %s: %w", RunFile, err)
	}
	return &r, errors.Join(
		readLines(dir, callsFile, &r.Calls), readLines(dir, eventsFile, &r.Events), readLines(dir, faultsFile, &r.Faults),
		readLines(dir, changesFile, &r.Changes), readLines(dir, samplesFile, &r.Samples),
	)
}

func readLines[T any](dir, name string, all *[]T) error {
	file, err := os.Open(filepath.Join(dir, name)) //nolint:gosec // the directory of the caller
	if err != nil {
		return fmt.Errorf("read the recording: %w", err)
	}
	defer func() { _ = file.Close() }()
	decoder := json.NewDecoder(bufio.NewReaderSize(file, 1<<20))
	for {
		var one T
		switch err := decoder.Decode(&one); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the recording: %s, after %d lines: %w", name, len(*all), err)
		}
		*all = append(*all, one)
	}
}
