package processengine_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func TestImagesThatCannotBeHad(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	e := s.open(t)
	require.NoError(t, os.WriteFile(filepath.Join(s.images, "gameserver", "plain"), nil, 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(s.images, "gameserver", "dir"), 0o755))
	require.NoError(t, os.Symlink("/bin/sh", filepath.Join(s.images, "gameserver", "leads-out")))
	for image, reason := range map[string]string{
		"gameserver":           "no version",
		"host:5000/gameserver": "no version",
		"gameserver:2.0.0":     "put the executable at " + filepath.Join(s.images, "gameserver", "2.0.0"),
		"gameserver:plain":     "not executable",
		"gameserver:dir":       "no file",
		"gameserver:leads-out": "escapes",
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
		bad := spec("a")
		bad.Labels.Image = image
		_, err = e.Create(t.Context(), bad)
		require.ErrorIs(t, err, container.ErrNoImage, image)
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, "containers"))
	require.NoError(t, err)
	require.Empty(t, entries, "nothing is left of what was refused")
}

func TestImageNamesMayHaveSlashes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	e := s.open(t)
	for _, image := range []string{"a/b:1", "host.example:5000/a/b:1.2"} {
		path := filepath.Join(s.images, filepath.Dir(image), "b", image[len(filepath.Dir(image))+3:])
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.Link(gameFile(), path))
		require.NoError(t, e.EnsureImage(t.Context(), image, nil))
	}
}

// lastLine returns the last line of an exited game.
func (e engine) lastLine(t *testing.T, id string) string {
	t.Helper()
	e.exited(t, id)
	lines, err := e.Logs(t.Context(), id, 1)
	require.NoError(t, err)
	require.Len(t, lines, 1)
	return lines[0]
}

func TestAContainerKeepsTheExecutableItWasMadeOf(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, s site){
		"linked": func(t *testing.T, s site) { s.putScript(t, "script:1", "echo one") },
		"copied": func(t *testing.T, s site) { // a second name for a link would not do
			s.putScript(t, "script:real", "echo one")
			require.NoError(t, os.Symlink("real", filepath.Join(s.images, "script", "1")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			prepare(t, s)
			e := s.open(t)
			old, young := spec("a"), spec("b")
			old.Labels.Image, young.Labels.Image = "script:1", "script:1"
			first := e.start(t, old)
			require.Equal(t, "one", e.lastLine(t, first.ID))

			require.NoError(t, os.Remove(filepath.Join(s.images, "script", "1")))
			s.putScript(t, "script:1", "echo two")
			require.NoError(t, e.Start(t.Context(), first.ID))
			require.Equal(t, "one", e.lastLine(t, first.ID))
			require.Equal(t, "two", e.lastLine(t, e.start(t, young).ID))
		})
	}
}

func TestAnExecutableThatCannotRunExitsAndSaysWhy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := s.putScript(t, "broken:1", "")
	require.NoError(t, os.WriteFile(path, []byte("#!/no/such/interpreter\n"), 0o755))
	e := s.open(t)
	broken := spec("a")
	broken.Labels.Image = "broken:1"
	c := e.create(t, broken)
	require.NoError(t, e.Start(t.Context(), c.ID))
	require.Equal(t, 127, *e.exited(t, c.ID).ExitCode)
	require.Contains(t, e.lastLine(t, c.ID), "No such file")
}
