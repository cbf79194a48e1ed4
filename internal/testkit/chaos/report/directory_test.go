package report_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
	"galaxy/rtmanager/internal/testkit/chaos/report"
)

// record writes a recording with the seed and one call into the directory.
func record(t *testing.T, dir string, seed uint64) {
	t.Helper()
	w, err := recording.Create(dir)
	require.NoError(t, err)
	w.Call(recording.Call{Client: "c", Method: recording.Get, Game: "g", Returned: 5, Outcome: recording.NotFound})
	require.NoError(t, w.Finish(recording.Run{Seed: seed, Started: "2026-01-02T03:04:05Z"}))
}

func TestCheckDirectoryWritesAllPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	record(t, filepath.Join(dir, "b"), 2)
	record(t, filepath.Join(dir, "a"), 1)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "incomplete"), 0o700))
	var names []string
	summary, err := report.CheckDirectory(dir, report.Options{
		Minimum: check.Minimum{Calls: 2}, Repeat: func(recording.Run) string { return "repeat it" }, Done: func(run report.Run) { names = append(names, run.Name) },
	})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, names)
	require.Equal(t, "void", summary.Result())
	require.Equal(t, 2, summary.Void)
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(dir, name, report.PageFile))
		require.NoError(t, err)
		require.Contains(t, string(content), "repeat it")
	}
	content, err := os.ReadFile(filepath.Join(dir, report.SummaryFile))
	require.NoError(t, err)
	var read report.Summary
	require.NoError(t, json.Unmarshal(content, &read))
	require.Equal(t, []uint64{1, 2}, []uint64{read.Runs[0].Seed, read.Runs[1].Seed})
	links := func() (found []string) {
		page, err := os.ReadFile(filepath.Join(dir, report.SummaryPageFile))
		require.NoError(t, err)
		for _, a := range all(parse(t, page), "a") {
			found = append(found, attribute(a, "href"))
		}
		return found
	}
	require.Equal(t, []string{"a/report.html", "b/report.html"}, links())
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "a")))
	require.NoError(t, summary.WriteFiles(dir))
	require.Equal(t, []string{"b/report.html"}, links(), "a removed recording has no link")
}

func TestCheckDirectoryTakesOneRecording(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	record(t, dir, 3)
	summary, err := report.CheckDirectory(dir, report.Options{})
	require.NoError(t, err)
	require.Equal(t, "right", summary.Result())
	require.FileExists(t, filepath.Join(dir, report.PageFile))
}

func TestCheckDirectoryFailsWithoutARecording(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := report.CheckDirectory(dir, report.Options{})
	require.ErrorContains(t, err, "has no recording")
	require.NoError(t, os.WriteFile(filepath.Join(dir, recording.RunFile), []byte("{}"), 0o600))
	_, err = report.CheckDirectory(dir, report.Options{})
	require.ErrorContains(t, err, "calls.ndjson", "a file is missing")
}
