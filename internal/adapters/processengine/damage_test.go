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

func TestADamagedContainerIsReportedAndHidesNoOther(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"empty": "", "garbage": "\x00\xff", "cut": `{"id": "`, "not its own": `{"id":"x","name":"n"}`, "nothing": "{}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			e := s.open(t)
			damaged, whole := e.start(t, spec("a")), e.start(t, spec("b"))
			require.NoError(t, e.Close())
			require.NoError(t, os.WriteFile(filepath.Join(s.containerDir(damaged.ID), "spec.json"), []byte(content), 0o600))

			e = s.open(t)
			told := container.Container{ID: damaged.ID, State: container.StateUnknown}
			all, err := e.List(t.Context(), "")
			require.NoError(t, err)
			require.ElementsMatch(t, []container.Container{told, whole}, all)
			require.Equal(t, told, e.inspect(t, damaged.ID))
			ofGame, err := e.List(t.Context(), "b")
			require.NoError(t, err)
			require.Equal(t, []container.Container{whole}, ofGame)

			game, _ := s.pids(t, damaged.ID)
			require.NoError(t, e.Stop(t.Context(), damaged.ID, hour), "what runs can be stopped")
			eventually(t, "the game is dead", func() bool { return !alive(game) })
			require.ErrorIs(t, e.Start(t.Context(), damaged.ID), operation.ErrStartFailed)
			require.NoError(t, e.Remove(t.Context(), damaged.ID))
			_, err = e.Inspect(t.Context(), damaged.ID)
			require.ErrorIs(t, err, container.ErrNoContainer)
		})
	}
}

// What cannot be told is unknown, and never an exit: what lives there is not taken for
// dead, and is known again once it can be told.
func TestAPipeThatCannotBeReadIsUnknown(t *testing.T) {
	t.Parallel()
	for name, runs := range map[string]bool{"runs": true, "has exited": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			e := s.open(t)
			c := e.start(t, spec("a"))
			game, _ := s.pids(t, c.ID)
			if !runs {
				require.NoError(t, e.Stop(t.Context(), c.ID, 0))
			}
			c = e.inspect(t, c.ID)
			require.NoError(t, e.Close())
			pipe := filepath.Join(s.containerDir(c.ID), "alive")
			require.NoError(t, os.Rename(pipe, pipe+".away"))
			require.NoError(t, os.Mkdir(pipe, 0o700))

			e = s.open(t)
			ofGame, err := e.List(t.Context(), "a")
			require.NoError(t, err)
			require.Len(t, ofGame, 1)
			require.Equal(t, container.StateUnknown, ofGame[0].State)
			require.Equal(t, c.Labels, ofGame[0].Labels)
			for _, err := range []error{e.Start(t.Context(), c.ID), e.Stop(t.Context(), c.ID, 0), e.Remove(t.Context(), c.ID)} {
				require.ErrorIs(t, err, container.ErrEngineUnavailable)
				require.ErrorContains(t, err, pipe)
			}
			require.Equal(t, runs, alive(game))

			require.NoError(t, os.Remove(pipe))
			require.NoError(t, os.Rename(pipe+".away", pipe))
			eventually(t, "it is known again", func() bool { return e.inspect(t, c.ID).State != container.StateUnknown })
			require.Equal(t, c, e.inspect(t, c.ID))
			require.NoError(t, e.Stop(t.Context(), c.ID, 0))
			require.False(t, alive(game))
		})
	}
}

func TestExitCodesThatCannotBeReadAreUnknown(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"empty": "", "cut": "13", "text": "x\n", "negative": "-1\n"} {
		s := newSite(t)
		e := s.open(t)
		c := e.start(t, spec("a"))
		require.NoError(t, e.Stop(t.Context(), c.ID, 0))
		require.NoError(t, e.Close())
		require.NoError(t, os.WriteFile(filepath.Join(s.containerDir(c.ID), "exit"), []byte(content), 0o600))

		e = s.open(t)
		require.Equal(t, container.StateExited, e.inspect(t, c.ID).State, name)
		require.Nil(t, e.inspect(t, c.ID).ExitCode, name)
	}
}

func TestAContainerWhosePortIsForgottenRunsOn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	e := s.open(t)
	c := e.start(t, spec("a"))
	require.NoError(t, e.Close())
	require.NoError(t, os.WriteFile(filepath.Join(s.containerDir(c.ID), "run.json"), nil, 0o600))

	e = s.open(t)
	told := e.inspect(t, c.ID)
	require.Equal(t, container.StateRunning, told.State)
	require.Empty(t, told.Endpoint, "it is not known")
	require.NoError(t, e.Stop(t.Context(), c.ID, 0))
}

func TestWhatIsNoContainerIsIgnoredOrSwept(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	require.NoError(t, s.open(t).Close())
	containers := filepath.Join(s.dir, "containers")
	id := strings.Repeat("0", 32)
	for _, swept := range []string{".new-" + id, ".old-" + id} {
		require.NoError(t, os.Mkdir(filepath.Join(containers, swept), 0o700))
	}
	require.NoError(t, os.WriteFile(filepath.Join(containers, "notes"), nil, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(containers, "lost+found"), 0o700))

	all, err := s.open(t).List(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, all)
	left, err := filepath.Glob(filepath.Join(containers, "*"))
	require.NoError(t, err)
	require.Len(t, left, 2, "what is not ours stays")
	hidden, err := filepath.Glob(filepath.Join(containers, ".*"))
	require.NoError(t, err)
	require.Empty(t, hidden)
}

// A directory that is not mounted, or was moved, says nothing about what lay in it.
func TestContainersThatAreOutOfSightAreUnknown(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(t *testing.T, dir string){
		"moved":    func(*testing.T, string) {},
		"replaced": func(t *testing.T, dir string) { t.Helper(); require.NoError(t, os.Mkdir(dir, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			e := s.open(t)
			c := e.create(t, spec("a"))
			home := filepath.Join(s.dir, "containers")
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

// What a game returned is read until it can be: it is not given up for want of a
// file descriptor.
func TestAnExitThatCannotBeReadYet(t *testing.T) {
	t.Parallel()
	for name, reopen := range map[string]bool{"seen to exit": false, "found by the next engine": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			e := s.open(t)
			c := e.start(t, spec("a"))
			exit := filepath.Join(s.containerDir(c.ID), "exit")
			require.NoError(t, os.Symlink("exit", exit)) // it can be neither written nor read
			game, _ := s.pids(t, c.ID)
			kill(t, game)
			eventually(t, "the container is unknown", func() bool { return e.inspect(t, c.ID).State == container.StateUnknown })
			if reopen {
				require.NoError(t, e.Close())
				e = s.open(t)
				require.Equal(t, container.StateUnknown, e.inspect(t, c.ID).State)
			}
			require.ErrorIs(t, e.Start(t.Context(), c.ID), container.ErrEngineUnavailable)

			require.NoError(t, os.WriteFile(exit+".whole", []byte("42\n"), 0o600))
			require.NoError(t, os.Rename(exit+".whole", exit))
			require.Equal(t, 42, *e.exited(t, c.ID).ExitCode)
		})
	}
}
