package nodetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"galaxy/rtmanager/internal/testkit/enginetest"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// ImagesDir is the directory of the images that nodes run. Main sets it. It contains
// cmd/gameserver as gameserver:1.0.0, 1.0.1 and 2.0.0, and broken:1.0.1, which exits at
// its start.
var ImagesDir string

// Main builds the images and runs the tests of a package. It fails if a goroutine remains
// after them. Its result is for os.Exit.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "images-")
	if err == nil {
		err = buildImages(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nodetest:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ImagesDir = dir
	return etcdtest.Main(m)
}

func buildImages(dir string) error {
	first := filepath.Join(dir, "gameserver", "1.0.0")
	if err := enginetest.BuildGame(context.Background(), first, "1.0.0"); err != nil {
		return err
	}
	for _, version := range []string{"1.0.1", "2.0.0"} {
		if err := os.Link(first, filepath.Join(dir, "gameserver", version)); err != nil {
			return err
		}
	}
	broken := filepath.Join(dir, "broken", "1.0.1")
	if err := os.MkdirAll(filepath.Dir(broken), 0o750); err != nil {
		return err
	}
	return os.WriteFile(broken, []byte("#!/bin/sh\necho cannot start >&2\nexit 7\n"), 0o700) //nolint:gosec // a program must be executable
}
