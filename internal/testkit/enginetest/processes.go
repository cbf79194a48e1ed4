package enginetest

import (
	"testing"
)

func processTests(h Harness) []contractTest {
	if !h.RunsGames {
		return nil
	}
	return []contractTest{
		{"a game that is killed leaves no process", func(t *testing.T, f *fixture) {
			c := f.runReady(t, "--with-child", "--ignore-sigterm")
			f.stop(t, c.ID, 0)
			clientOf(c).requireClosed(t)
		}},
		{"a game that exits within the grace leaves no process", func(t *testing.T, f *fixture) {
			c := f.runReady(t, "--with-child")
			requireExit(t, f.stop(t, c.ID, longGrace), 0)
			clientOf(c).requireClosed(t)
		}},
		{"a game that crashes leaves no process", func(t *testing.T, f *fixture) {
			c := f.runReady(t, "--with-child")
			f.crash(t, c, 3)
			requireExit(t, f.waitExited(t, c.ID), 3)
			clientOf(c).requireClosed(t)
		}},
		{"a game that is removed leaves no process", func(t *testing.T, f *fixture) {
			c := f.runReady(t, "--with-child")
			f.remove(t, c.ID)
			clientOf(c).requireClosed(t)
		}},
	}
}
