package recording

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// RunFile is the file that is written last: a directory without it has no complete recording.
const RunFile = "run.json"

// The other files of a recording.
const (
	callsFile   = "calls.ndjson"
	eventsFile  = "events.ndjson"
	faultsFile  = "faults.ndjson"
	changesFile = "changes.ndjson"
	samplesFile = "samples.ndjson"
)

// Writer writes a recording. It is safe for concurrent use.
type Writer struct {
	start time.Time
	dir   string
	files map[string]*lineFile
}

// lineFile is a file with one JSON object per line.
type lineFile struct {
	mu     sync.Mutex
	file   *os.File
	buffer *bufio.Writer
	err    error // the first error; nothing is written after it
}

// Create starts a recording in the directory, which is created. The caller calls Close.
func Create(dir string) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the recording: %w", err)
	}
	w := &Writer{start: time.Now(), dir: dir, files: map[string]*lineFile{}}
	for _, name := range []string{callsFile, eventsFile, faultsFile, changesFile, samplesFile} {
		file, err := os.Create(filepath.Join(dir, name)) //nolint:gosec // the directory of the caller
		if err != nil {
			return nil, errors.Join(fmt.Errorf("create the recording: %w", err), w.Close())
		}
		w.files[name] = &lineFile{file: file, buffer: bufio.NewWriterSize(file, 256<<10)}
	}
	return w, nil
}

// Now returns the time since the start of the recording, in nanoseconds.
func (w *Writer) Now() int64 { return int64(time.Since(w.start)) }

// Dir returns the directory of the recording.
func (w *Writer) Dir() string { return w.dir }

// Call records a call that has returned.
func (w *Writer) Call(call Call) { w.files[callsFile].add(call) }

// Event records an event of a watch.
func (w *Writer) Event(event Event) { w.files[eventsFile].add(event) }

// Fault records a fault that has ended.
func (w *Writer) Fault(fault Fault) { w.files[faultsFile].add(fault) }

// Change records a change of etcd.
func (w *Writer) Change(change Change) { w.files[changesFile].add(change) }

// Sample records the value of a sample as of now.
func (w *Writer) Sample(kind, subject string, value any) {
	encoded, err := json.Marshal(value)
	if err != nil {
		w.files[samplesFile].fail(err)
		return
	}
	w.files[samplesFile].add(Sample{At: w.Now(), Kind: kind, Subject: subject, Value: encoded})
}

// Finish writes the description of the run and closes the recording. It returns the first error of
// all writes: a recording with an error is not complete.
func (w *Writer) Finish(run Run) error {
	content, err := json.MarshalIndent(run, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(w.dir, RunFile), append(content, '\n'), 0o644), w.Close()) //nolint:gosec // not secret
}

// Close closes the files. It returns the first error of each.
func (w *Writer) Close() error {
	var faults []error
	for _, f := range w.files {
		faults = append(faults, f.close())
	}
	return errors.Join(faults...)
}

func (f *lineFile) add(value any) {
	line, err := json.Marshal(value)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return
	}
	if f.err = err; err == nil {
		_, f.err = f.buffer.Write(append(line, '\n'))
	}
}

func (f *lineFile) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *lineFile) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := errors.Join(f.err, f.buffer.Flush(), f.file.Close())
	f.file, f.err = nil, errors.New("the recording is closed")
	return err
}
