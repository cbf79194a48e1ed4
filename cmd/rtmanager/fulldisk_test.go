//go:build linux

package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
)

// mountDisk mounts a small file system, or skips the test.
func mountDisk(t *testing.T, size string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs daemon processes")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("needs permission to mount a file system: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// fillDisk writes a file until the disk is full.
func fillDisk(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	require.NoError(t, err)
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(block)
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Close())
}

// readBody returns the body of a GET with the status 200.
func readBody(t require.TestingT, url string) string {
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

// A full disk makes the daemon read-only. It starts on a full disk, after a kill and after
// a stop, and accepts writes once there is space.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := mountDisk(t, "140m")
	d := &daemonProcess{t: t, dir: filepath.Join(disk, "data"), flags: []string{"--engine", "none"}}
	d.startFirst()
	require.NoError(t, d.put("g"))
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(d.dir, "ballast"))
		return err == nil
	}, waitTimeout, waitTimeout/1000, "the daemon allocates space ahead")

	filler := filepath.Join(disk, "filler")
	fillDisk(t, filler)
	d.requireReadOnly()

	d.killAfter(0)
	fillDisk(t, filler+"-after-kill")
	d.start()
	d.requireReadOnly()

	require.NoError(t, d.stop())
	fillDisk(t, filler+"-after-stop")
	d.start()
	d.requireReadOnly()

	for _, name := range []string{filler, filler + "-after-kill", filler + "-after-stop"} {
		require.NoError(t, os.Remove(name))
	}
	require.Eventually(t, func() bool { return d.put("g") == nil }, waitTimeout, waitTimeout/1000, "the disk has space")
}

// requireReadOnly waits until the daemon rejects writes, and requires that it serves reads.
func (d *daemonProcess) requireReadOnly() {
	d.t.Helper()
	require.Eventually(d.t, func() bool { return errors.Is(d.put("g"), runtime.ErrReadOnly) }, waitTimeout, waitTimeout/200)
	_, err := d.client.Get(d.t.Context(), "g")
	require.NoError(d.t, err)
	ready := readBody(d.t, "http://"+d.listen+"/readyz")
	require.Contains(d.t, ready, "read_only")
	require.Contains(d.t, ready, "the disk of data directory "+d.dir+" is full")
}

// A first start on a disk that is too small is refused before etcd writes anything.
func TestFirstStartOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(mountDisk(t, "30m"), "data")
	lines := serveFailure(t, dir)
	last := lines[len(lines)-1]
	require.Contains(t, last, "data directory "+dir)
	require.Contains(t, last, "free some space")
	require.NoDirExists(t, filepath.Join(dir, "etcd"))
}
