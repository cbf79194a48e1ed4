package auditlog_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/auditlog"
	"galaxy/rtmanager/internal/domain/audit"
	"galaxy/rtmanager/internal/filelock"
	"galaxy/rtmanager/internal/testkit/audittest"
)

func TestAppendedEventsAreInTheFileInOrder(t *testing.T) {
	t.Parallel()
	f := start(t, auditlog.FileConfig{}, nil)
	want := succeeded("1")
	want.Groups, want.Reason, want.DurationMS, want.Revision = []string{"group:ops"}, "maintenance", 12, 7
	f.append(t, want)
	f.append(t, succeeded("2"))
	events := f.read(t)
	require.Equal(t, []string{"1", "2"}, ids(events))
	require.Equal(t, want, events[0])
	info, err := os.Stat(f.path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
}

// Each call returns after its own line is in the file, also among concurrent ones.
func TestConcurrentAppends(t *testing.T) {
	t.Parallel()
	f := start(t, auditlog.FileConfig{}, nil)
	var callers sync.WaitGroup
	for i := range 16 {
		callers.Go(func() {
			for j := range 8 {
				id := fmt.Sprintf("%d-%d", i, j)
				if err := f.Append(t.Context(), succeeded(id)); err != nil {
					t.Errorf("append %s: %v", id, err)
				}
				text, _ := os.ReadFile(f.path)
				if !strings.Contains(string(text), `"request_id":"`+id+`"`) {
					t.Errorf("%s is not in the file", id)
				}
			}
		})
	}
	callers.Wait()
	all := ids(f.read(t))
	require.Len(t, all, 16*8)
	slices.Sort(all)
	require.Len(t, slices.Compact(all), 16*8)
}

// A text of a client can neither start a line nor contain a control character or a
// character that changes the direction of text.
func TestTextsCannotForgeALine(t *testing.T) {
	t.Parallel()
	f := start(t, auditlog.FileConfig{}, nil)
	hostile := "a\n{\"actor\":\"user:root\"}\r\x00\x1b[2J\x7f\u009b\u2028\u202e\U000e0001\xff\"}"
	event := succeeded(hostile)
	event.Actor, event.GameID, event.Reason, event.UserAgent, event.Groups = hostile, hostile, hostile, hostile, []string{hostile}
	f.append(t, event)
	events := f.read(t)
	require.Len(t, events, 1)
	require.Equal(t, strings.ToValidUTF8(hostile, "\ufffd"), events[0].Actor)
	text, err := os.ReadFile(f.path)
	require.NoError(t, err)
	for _, char := range strings.TrimSuffix(string(text), "\n") {
		require.True(t, strconv.IsPrint(char), "%q is not printable", char)
	}
}

func TestLinesAreBounded(t *testing.T) {
	t.Parallel()
	f := start(t, auditlog.FileConfig{}, nil)
	event := succeeded("1")
	event.GameID, event.Reason, event.UserAgent = strings.Repeat("x", 1<<20), strings.Repeat("\x00", 1<<20), strings.Repeat("ж", 1<<20)
	f.append(t, event)
	info, err := os.Stat(f.path)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(16<<10))
}

// After a restart the file continues. An incomplete last line, which a crash of the machine
// has left, stays on a line of its own.
func TestRestartAfterAnIncompleteLine(t *testing.T) {
	t.Parallel()
	f := start(t, auditlog.FileConfig{}, nil)
	f.append(t, succeeded("1"))
	f.stop()
	torn, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	_, err = torn.WriteString(`{"time":"2026-`)
	require.NoError(t, err)
	require.NoError(t, torn.Close())

	restarted := start(t, auditlog.FileConfig{Path: f.path}, nil)
	restarted.append(t, succeeded("2"))
	restarted.append(t, succeeded("3"))
	text, err := os.ReadFile(f.path)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	require.Len(t, lines, 4)
	require.Contains(t, lines[0], `"request_id":"1"`)
	require.Equal(t, `{"time":"2026-`, lines[1])
	require.Contains(t, lines[2], `"request_id":"2"`)
	require.Contains(t, lines[3], `"request_id":"3"`)
}

func TestRotation(t *testing.T) {
	t.Parallel()
	f := start(t, auditlog.FileConfig{MaxBytes: 2000, MaxFiles: 3}, nil)
	for i := range 40 {
		f.append(t, succeeded(strconv.Itoa(i)))
	}
	var all []string
	for _, suffix := range []string{".2", ".1", ""} {
		info, err := os.Stat(f.path + suffix)
		require.NoError(t, err)
		require.LessOrEqual(t, info.Size(), int64(2000))
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
		all = append(all, ids(audittest.Read(t, f.path+suffix))...)
	}
	require.NoFileExists(t, f.path+".3")
	require.Equal(t, "39", all[len(all)-1])
	for i, id := range all {
		require.Equal(t, strconv.Itoa(40-len(all)+i), id, "no event between the oldest file and now is missing")
	}
}

// A file that cannot be rotated grows: the log does not stop for that.
func TestFailedRotationKeepsTheFile(t *testing.T) {
	t.Parallel()
	f := start(t, auditlog.FileConfig{MaxBytes: 1000, MaxFiles: 2}, nil)
	require.NoError(t, os.MkdirAll(filepath.Join(f.path+".1", "not empty"), 0o700))
	for i := range 10 {
		f.append(t, succeeded(strconv.Itoa(i)))
	}
	require.Len(t, f.read(t), 10)
	require.Equal(t, 1, strings.Count(f.logged.String(), "cannot be rotated"), f.logged.String())
	require.NoError(t, os.RemoveAll(f.path+".1"))
	f.append(t, succeeded("10"))
	require.Equal(t, []string{"10"}, ids(f.read(t)))
}

// Another program may rename the file: the log continues in a new one.
func TestRenamedFileIsReplaced(t *testing.T) {
	t.Parallel()
	f := start(t, auditlog.FileConfig{}, nil)
	f.append(t, succeeded("1"))
	require.NoError(t, os.Rename(f.path, f.path+".old"))
	f.append(t, succeeded("2"))
	require.Equal(t, []string{"1"}, ids(audittest.Read(t, f.path+".old")))
	require.Equal(t, []string{"2"}, ids(f.read(t)))
}

func TestUnsafePathsAreRejected(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, dir, path string){
		"directory that others can write": func(t *testing.T, dir, _ string) { require.NoError(t, os.Chmod(dir, 0o777)) },
		"directory of a sticky bit":       func(t *testing.T, dir, _ string) { require.NoError(t, os.Chmod(dir, 0o777|fs.ModeSticky)) },
		"no directory":                    func(t *testing.T, dir, _ string) { require.NoError(t, os.Remove(dir)) },
		"file that others can read":       func(t *testing.T, _, path string) { require.NoError(t, os.WriteFile(path, nil, 0o644)) },
		"directory":                       func(t *testing.T, _, path string) { require.NoError(t, os.Mkdir(path, 0o700)) },
		"symbolic link": func(t *testing.T, dir, path string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), nil, 0o600))
			require.NoError(t, os.Symlink("other", path))
		},
		"broken symbolic link": func(t *testing.T, _, path string) { require.NoError(t, os.Symlink("/nonexistent/file", path)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := secureDir(t)
			path := filepath.Join(dir, "audit.log")
			prepare(t, dir, path)
			_, err := auditlog.OpenFile(auditlog.FileConfig{Path: path, MaxBytes: 1 << 20, MaxFiles: 2})
			require.Error(t, err)
		})
	}
}

func TestGroupMayReadTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(secureDir(t), "audit.log")
	require.NoError(t, os.WriteFile(path, nil, 0o640))
	require.NoError(t, os.Chmod(path, 0o640))
	start(t, auditlog.FileConfig{Path: path}, nil).append(t, succeeded("1"))
}

func TestFileHasOneUser(t *testing.T) {
	t.Parallel()
	f := start(t, auditlog.FileConfig{}, nil)
	_, err := auditlog.OpenFile(auditlog.FileConfig{Path: f.path, MaxBytes: 1 << 20, MaxFiles: 2})
	require.ErrorIs(t, err, filelock.ErrLocked)
}

func TestClosedFile(t *testing.T) {
	t.Parallel()
	f := start(t, auditlog.FileConfig{}, nil)
	f.stop()
	require.ErrorIs(t, f.Append(t.Context(), succeeded("1")), audit.ErrUnavailable)
}
