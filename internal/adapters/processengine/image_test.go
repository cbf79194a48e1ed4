package processengine_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func TestMissingImages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := f.open(t)
	require.NoError(t, os.WriteFile(filepath.Join(f.images, "gameserver", "plain"), nil, 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(f.images, "gameserver", "dir"), 0o755))
	require.NoError(t, os.Symlink("/bin/sh", filepath.Join(f.images, "gameserver", "link-out")))
	for image, reason := range map[string]string{
		"gameserver":           "no version",
		"host:5000/gameserver": "no version",
		"gameserver:2.0.0":     "put the executable at " + filepath.Join(f.images, "gameserver", "2.0.0"),
		"gameserver:plain":     "not executable",
		"gameserver:dir":       "it is not a file",
		"gameserver:link-out":  "escapes",
		"..:gameserver":        "not NAME:VERSION",
		"gameserver:..":        "not NAME:VERSION",
		"../images/x:1":        "not NAME:VERSION",
		"/bin:sh":              "not NAME:VERSION",
		":1":                   "not NAME:VERSION",
		"x:":                   "not NAME:VERSION",
	} {
		err := e.EnsureImage(t.Context(), image, nil)
		require.ErrorIs(t, err, container.ErrNoImage, image)
		require.ErrorContains(t, err, reason, image)
		_, err = e.Create(t.Context(), imageSpec(image))
		require.ErrorIs(t, err, container.ErrNoImage, image)
	}
	entries, err := os.ReadDir(filepath.Join(f.dir, "containers"))
	require.NoError(t, err)
	require.Empty(t, entries, "a rejected container leaves no files")
}

func TestImageNamesMayHaveSlashes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := f.open(t)
	for _, image := range []string{"a/b:1", "host.example:5000/a/b:1.2"} {
		path := filepath.Join(f.images, filepath.Dir(image), "b", image[len(filepath.Dir(image))+3:])
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.Link(gameFile(), path))
		require.NoError(t, e.EnsureImage(t.Context(), image, nil))
	}
}

// lastLine returns the last line of an exited game.
func (e engine) lastLine(t *testing.T, id string) string {
	t.Helper()
	e.waitExited(t, id)
	lines, err := e.Logs(t.Context(), id, 1)
	require.NoError(t, err)
	require.Len(t, lines, 1)
	return lines[0]
}

func TestAContainerKeepsItsExecutable(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, f fixture){
		"linked": func(t *testing.T, f fixture) { f.putScript(t, "script:1", "echo one") },
		"copied": func(t *testing.T, f fixture) { // the engine does not link to a symbolic link
			f.putScript(t, "script:real", "echo one")
			require.NoError(t, os.Symlink("real", filepath.Join(f.images, "script", "1")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			prepare(t, f)
			e := f.open(t)
			first := e.start(t, imageSpec("script:1"))
			require.Equal(t, "one", e.lastLine(t, first.ID))

			require.NoError(t, os.Remove(filepath.Join(f.images, "script", "1")))
			f.putScript(t, "script:1", "echo two")
			require.NoError(t, e.Start(t.Context(), first.ID))
			require.Equal(t, "one", e.lastLine(t, first.ID))
			second := imageSpec("script:1")
			second.Name = "name-of-second"
			require.Equal(t, "two", e.lastLine(t, e.start(t, second).ID))
		})
	}
}

func TestAnExecutableThatCannotRunExitsWithAReason(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	path := f.putScript(t, "broken:1", "")
	require.NoError(t, os.WriteFile(path, []byte("#!/no/such/interpreter\n"), 0o755))
	e := f.open(t)
	c := e.create(t, imageSpec("broken:1"))
	require.NoError(t, e.Start(t.Context(), c.ID))
	require.Equal(t, 127, *e.waitExited(t, c.ID).ExitCode)
	require.Contains(t, e.lastLine(t, c.ID), "No such file")
}
