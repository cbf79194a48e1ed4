package daemon

import (
	"fmt"
	"path/filepath"
	"strings"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/config"
)

// requireGamesOfStore returns an error if the data directory has games of nodes and no data
// of an embedded etcd: a new store would not contain these games, which continue to run. Nodes
// that a daemon runs at present do not count: that daemon uses an external etcd.
func requireGamesOfStore(dataDir string) error {
	isNew, err := embeddedetcd.IsNew(dataDir)
	if err != nil || !isNew {
		return nil //nolint:nilerr // the start of etcd reports the error
	}
	root := filepath.Join(dataDir, "nodes")
	dirs, err := findNodeDirs(root)
	if err != nil {
		return fmt.Errorf("data directory %s: %w", dataDir, err)
	}
	var games []string
	for _, dir := range dirs {
		found, err := dir.describeGames()
		if err != nil {
			return fmt.Errorf("data directory %s: %w", dataDir, err)
		}
		if found != "" {
			games = append(games, found)
		}
	}
	if len(games) == 0 {
		return nil
	}
	return fmt.Errorf("data directory %[1]s has no data of etcd, but %[2]s: an empty store would not contain their records; if it was a member of a cluster that still runs, replace it (rtmanager cluster replace) and start it with --cluster-join; otherwise restore a backup of their store with rtmanager restore --from SNAPSHOT --data-dir %[1]s, or connect to it with --etcd-endpoints if it is external; to give the games up, end them and remove %[3]s",
		dataDir, strings.Join(games, " and "), root)
}

// describeGames describes the containers that the node may have, empty if it has none or a
// daemon runs it.
func (d storedNode) describeGames() (string, error) {
	engine, err := (&nodeDir{path: d.path}).engine()
	if err != nil || d.containers == 0 && engine != config.EngineDocker {
		return "", err
	}
	if isLocked, err := d.isLocked(releaseTimeout); err != nil || isLocked {
		return "", err
	}
	if d.containers > 0 {
		return fmt.Sprintf("%d container(s) of games of node %s in %s", d.containers, d.name.Ref, d.path), nil
	}
	return fmt.Sprintf("node %s may have games in Docker", d.name.Ref), nil
}
