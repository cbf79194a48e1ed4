package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// verifierStopTimeout is how long a verifier may take to remove its copy when it is stopped.
const verifierStopTimeout = 15 * time.Second

// runVerifier runs a command that verifies the file, and returns the manifest that it prints.
// The temporary etcd of a verification then shares neither memory nor metrics with a daemon.
func runVerifier(ctx context.Context, verifier []string, file string) (Manifest, error) {
	cmd := exec.CommandContext(ctx, verifier[0], append(verifier[1:len(verifier):len(verifier)], file)...) //nolint:gosec // this program
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = verifierStopTimeout
	if probe, err := os.MkdirTemp("", copyPrefix); err == nil {
		_ = os.Remove(probe)
	} else { // a read-only system, whose daemon can write to the directory of its backups
		cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Dir(file))
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return Manifest{}, context.Cause(ctx)
	}
	var m Manifest
	// The command also fails if it finds inconsistencies, which the manifest counts.
	if decodeErr := json.Unmarshal(stdout.Bytes(), &m); decodeErr == nil && m.Bytes > 0 {
		return m, nil
	}
	if text := strings.TrimSpace(stderr.String()); text != "" {
		err = errors.New(text)
	}
	return Manifest{}, fmt.Errorf("verify the copy: %w", err)
}
