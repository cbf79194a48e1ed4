package operator

import (
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

// clockVariable is the environment variable that a binary of BuildSkewed reads.
const clockVariable = "RTMANAGER_CLOCK_OFFSET"

// SkewedClock returns the variable by which the clock of a binary of BuildSkewed differs from that
// of the machine, for regions.Daemon.SetEnvironment.
func SkewedClock(offset time.Duration) string {
	return fmt.Sprintf("%s=%d", clockVariable, int64(offset.Seconds()))
}

// BuildSkewed builds an rtmanager whose clock SkewedClock can change, and returns its file below
// dir. It replaces time.Now of the standard library in this build only. So every reading of the
// wall clock differs, as on a machine whose clock is wrong, and elapsed times do not. The first
// build compiles all packages, which takes minutes.
func BuildSkewed(ctx context.Context, dir string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("find the standard library: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	content, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	replaced, err := skewSource(string(content))
	if err != nil {
		return "", err
	}
	source, binary := filepath.Join(dir, "time.go"), filepath.Join(dir, "rtmanager-skewed")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: source}})
	if err != nil {
		return "", err
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	err = errors.Join(os.WriteFile(source, []byte(replaced), 0o600), os.WriteFile(overlayFile, overlay, 0o600))
	if err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-overlay", overlayFile, "-o", binary, "galaxy/rtmanager/cmd/rtmanager") //nolint:gosec // of the test
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build with another clock: %w: %s", err, out)
	}
	return binary, nil
}

// skewSource returns the source of time.go with a clock that adds the offset. Package time cannot
// import os or strconv, so the offset is parsed here.
func skewSource(source string) (string, error) {
	const reading = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	const imports = "import (\n"
	if strings.Count(source, reading) != 1 || strings.Count(source, imports) != 1 {
		return "", errors.New("time.Now of this release of Go differs from what the replacement expects")
	}
	source = strings.Replace(source, reading, reading+"\tsec += skewSeconds\n", 1)
	source = strings.Replace(source, imports, imports+"\t\"syscall\"\n", 1)
	return source + `
var skewSeconds = func() (seconds int64) {
	text, _ := syscall.Getenv("` + clockVariable + `")
	sign := int64(1)
	for _, c := range []byte(text) {
		switch {
		case c == '-':
			sign = -1
		case '0' <= c && c <= '9':
			seconds = 10*seconds + int64(c-'0')
		}
	}
	return sign * seconds
}()
`, nil
}
