package processengine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
)

func TestACorruptContainerIsUnknownAndOthersAreListed(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"empty": "", "binary": "\x00\xff", "incomplete": `{"id": "`, "other container": `{"id":"x","name":"n"}`, "empty object": "{}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			e := f.open(t)
			corrupt, intact := e.start(t, spec("a")), e.start(t, spec("b"))
			require.NoError(t, e.Close())
			require.NoError(t, os.WriteFile(filepath.Join(f.containerDir(corrupt.ID), "spec.json"), []byte(content), 0o600))

			e = f.open(t)
			unknown := container.Container{ID: corrupt.ID, State: container.StateUnknown}
			all, err := e.List(t.Context(), "")
			require.NoError(t, err)
			require.ElementsMatch(t, []container.Container{unknown, intact}, all)
			require.Equal(t, unknown, e.inspect(t, corrupt.ID))
			ofGame, err := e.List(t.Context(), "b")
			require.NoError(t, err)
			require.Equal(t, []container.Container{intact}, ofGame)

			game, _ := f.pids(t, corrupt.ID)
			require.NoError(t, e.Stop(t.Context(), corrupt.ID, longGrace), "its game can be stopped")
			eventually(t, "the game exits", func() bool { return !isAlive(game) })
			require.ErrorIs(t, e.Start(t.Context(), corrupt.ID), operation.ErrStartFailed)
			require.NoError(t, e.Remove(t.Context(), corrupt.ID))
			_, err = e.Inspect(t.Context(), corrupt.ID)
			require.ErrorIs(t, err, container.ErrNoContainer)
		})
	}
}

// A container whose pipe cannot be read is unknown and not exited, since its game can be
// running. Its state is known as soon as the pipe can be read.
func TestAPipeThatCannotBeReadIsUnknown(t *testing.T) {
	t.Parallel()
	for name, isRunning := range map[string]bool{"runs": true, "has exited": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			e := f.open(t)
			c := e.start(t, spec("a"))
			game, _ := f.pids(t, c.ID)
			if !isRunning {
				require.NoError(t, e.Stop(t.Context(), c.ID, 0))
			}
			c = e.inspect(t, c.ID)
			require.NoError(t, e.Close())
			pipe := filepath.Join(f.containerDir(c.ID), "alive")
			require.NoError(t, os.Rename(pipe, pipe+".away"))
			require.NoError(t, os.Mkdir(pipe, 0o700))

			e = f.open(t)
			ofGame, err := e.List(t.Context(), "a")
			require.NoError(t, err)
			require.Len(t, ofGame, 1)
			require.Equal(t, container.StateUnknown, ofGame[0].State)
			require.Equal(t, c.Labels, ofGame[0].Labels)
			for _, err := range []error{e.Start(t.Context(), c.ID), e.Stop(t.Context(), c.ID, 0), e.Remove(t.Context(), c.ID)} {
				require.ErrorIs(t, err, container.ErrEngineUnavailable)
				require.ErrorContains(t, err, pipe)
			}
			require.Equal(t, isRunning, isAlive(game))

			require.NoError(t, os.Remove(pipe))
			require.NoError(t, os.Rename(pipe+".away", pipe))
			eventually(t, "the state is known", func() bool { return e.inspect(t, c.ID).State != container.StateUnknown })
			require.Equal(t, c, e.inspect(t, c.ID))
			require.NoError(t, e.Stop(t.Context(), c.ID, 0))
			require.False(t, isAlive(game))
		})
	}
}

func TestInvalidExitCodesAreUnknown(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"empty": "", "incomplete": "13", "text": "x\n", "negative": "-1\n"} {
		f := newFixture(t)
		e := f.open(t)
		c := e.start(t, spec("a"))
		require.NoError(t, e.Stop(t.Context(), c.ID, 0))
		require.NoError(t, e.Close())
		require.NoError(t, os.WriteFile(filepath.Join(f.containerDir(c.ID), "exit"), []byte(content), 0o600))

		e = f.open(t)
		require.Equal(t, container.StateExited, e.inspect(t, c.ID).State, name)
		require.Nil(t, e.inspect(t, c.ID).ExitCode, name)
	}
}

func TestAContainerWithAnUnknownPortRuns(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := f.open(t)
	c := e.start(t, spec("a"))
	require.NoError(t, e.Close())
	require.NoError(t, os.WriteFile(filepath.Join(f.containerDir(c.ID), "run.json"), nil, 0o600))

	e = f.open(t)
	inspected := e.inspect(t, c.ID)
	require.Equal(t, container.StateRunning, inspected.State)
	require.Empty(t, inspected.Endpoint, "the endpoint is unknown")
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
}

func TestOtherFilesAreKeptAndIncompleteContainersAreDeleted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.NoError(t, f.open(t).Close())
	containers := filepath.Join(f.dir, "containers")
	id := strings.Repeat("0", 32)
	for _, incomplete := range []string{".new-" + id, ".old-" + id} {
		require.NoError(t, os.Mkdir(filepath.Join(containers, incomplete), 0o700))
	}
	require.NoError(t, os.WriteFile(filepath.Join(containers, "notes"), nil, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(containers, "other-dir"), 0o700))

	all, err := f.open(t).List(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, all)
	kept, err := filepath.Glob(filepath.Join(containers, "*"))
	require.NoError(t, err)
	require.Len(t, kept, 2, "other files are kept")
	hidden, err := filepath.Glob(filepath.Join(containers, ".*"))
	require.NoError(t, err)
	require.Empty(t, hidden)
}

// A directory that is not mounted, or was renamed, proves nothing about its containers.
func TestContainersOfAMissingDirectoryAreUnknown(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(t *testing.T, dir string){
		"renamed":  func(*testing.T, string) {},
		"replaced": func(t *testing.T, dir string) { t.Helper(); require.NoError(t, os.Mkdir(dir, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			e := f.open(t)
			c := e.create(t, spec("a"))
			home := filepath.Join(f.dir, "containers")
			require.NoError(t, os.Rename(home, home+".away"))
			replace(t, home)
			_, err := e.List(t.Context(), "")
			require.ErrorIs(t, err, container.ErrEngineUnavailable)
			require.ErrorContains(t, err, home)
			_, err = e.Inspect(t.Context(), c.ID)
			require.ErrorIs(t, err, container.ErrEngineUnavailable)

			require.NoError(t, os.RemoveAll(home))
			require.NoError(t, os.Rename(home+".away", home))
			require.Equal(t, c, e.inspect(t, c.ID))
		})
	}
}

// The engine retries to read an exit code, for example while there is a lack of file
// descriptors.
func TestTheExitFileIsReadUntilItIsReadable(t *testing.T) {
	t.Parallel()
	for name, isReopened := range map[string]bool{"same engine": false, "next engine": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			e := f.open(t)
			c := e.start(t, spec("a"))
			exit := filepath.Join(f.containerDir(c.ID), "exit")
			require.NoError(t, os.Symlink("exit", exit)) // the file can be neither written nor read
			game, _ := f.pids(t, c.ID)
			kill(t, game)
			eventually(t, "the container is unknown", func() bool { return e.inspect(t, c.ID).State == container.StateUnknown })
			if isReopened {
				require.NoError(t, e.Close())
				e = f.open(t)
				require.Equal(t, container.StateUnknown, e.inspect(t, c.ID).State)
			}
			require.ErrorIs(t, e.Start(t.Context(), c.ID), container.ErrEngineUnavailable)

			require.NoError(t, os.WriteFile(exit+".new", []byte("42\n"), 0o600))
			require.NoError(t, os.Rename(exit+".new", exit))
			require.Equal(t, 42, *e.waitExited(t, c.ID).ExitCode)
		})
	}
}
