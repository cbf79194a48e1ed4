package regions

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Container is a container of the process engine whose game has a process.
type Container struct {
	ID, Game string
	PID      int
}

// Containers returns the containers on the node whose game runs. It may be called from any goroutine.
func (d *Daemon) Containers() []Container {
	alive := []Container{}
	dirs, _ := filepath.Glob(filepath.Join(d.dataDir, "nodes", "*", "*", "containers", "*"))
	for _, dir := range dirs {
		c := Container{ID: filepath.Base(dir), PID: processOf(dir)}
		environment, err := os.ReadFile("/proc/" + strconv.Itoa(c.PID) + "/environ")
		if err != nil || !bytes.Contains(environment, []byte("RTMANAGER_CONTAINER_ID="+c.ID+"\x00")) {
			continue // it has exited
		}
		var spec struct {
			Labels struct {
				GameID string `json:"game_id"`
			} `json:"labels"`
		}
		content, _ := os.ReadFile(filepath.Join(dir, "spec.json")) //nolint:gosec // of the test
		_ = json.Unmarshal(content, &spec)
		c.Game = spec.Labels.GameID
		alive = append(alive, c)
	}
	return alive
}

// ContainerDir returns the directory of a container, and "" if there is none.
func (d *Daemon) ContainerDir(id string) string {
	dirs, _ := filepath.Glob(filepath.Join(d.dataDir, "nodes", "*", "*", "containers", id))
	if len(dirs) == 0 {
		return ""
	}
	return dirs[0]
}

// processOf returns the pid of the game of a container, 0 for none.
func processOf(dir string) int {
	content, err := os.ReadFile(filepath.Join(dir, "process")) //nolint:gosec // of the test
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(content), " ")
	pid, _ := strconv.Atoi(first)
	return pid
}

// processEnvironments returns the environment of every process that this user may read.
func processEnvironments() [][]byte {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	var environments [][]byte
	for _, file := range files {
		if content, err := os.ReadFile(file); err == nil { // it fails for a process that has exited
			environments = append(environments, content)
		}
	}
	return environments
}
