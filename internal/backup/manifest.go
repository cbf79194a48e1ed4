package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Manifest describes a backup, in a JSON file next to it.
type Manifest struct {
	// Format is the version of this description.
	Format int `json:"format"`
	// CreatedAt is when the backup was made, by the clock of its host.
	CreatedAt time.Time `json:"created_at"`
	// Version is that of the rtmanager that made it.
	Version string `json:"rtmanager_version"`
	// ClusterID is the id of the etcd cluster, in hexadecimal.
	ClusterID string `json:"cluster_id"`
	Revision  int64  `json:"revision"`
	Bytes     int64  `json:"bytes"`
	SHA256    string `json:"sha256"`
	// Stores are those of the cluster, in the order of their prefixes.
	Stores []StoreReport `json:"stores"`
	// Schedule identifies the schedule that made the backup and may delete it; empty for a
	// backup that was made by hand.
	Schedule string `json:"schedule,omitempty"`
}

// StoreReport is the result of fsck on one store of a backup.
type StoreReport struct {
	Prefix        string `json:"prefix"`
	Records       int    `json:"records"`
	IndexKeys     int    `json:"index_keys"`
	LedgerEntries int    `json:"ledger_entries"`
	Findings      int    `json:"findings"`
}

const manifestFormat = 1

// Records returns the number of records of all stores.
func (m Manifest) Records() (count int) {
	for _, s := range m.Stores {
		count += s.Records
	}
	return count
}

// Findings returns the number of inconsistencies of all stores.
func (m Manifest) Findings() (count int) {
	for _, s := range m.Stores {
		count += s.Findings
	}
	return count
}

// ManifestFile returns the name of the manifest of a backup.
func ManifestFile(file string) string { return file + ".json" }

// readManifest returns the manifest of a backup, nil if there is none: snapshots of etcdctl
// have none.
func readManifest(file string) (*Manifest, error) {
	content, err := os.ReadFile(ManifestFile(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no manifest
	}
	if err != nil {
		return nil, fmt.Errorf("manifest of the backup: %w", err)
	}
	var m Manifest
	if err := json.Unmarshal(content, &m); err != nil || m.Format < 1 || m.SHA256 == "" {
		return nil, &InvalidError{file, ManifestFile(file) + " is not the manifest of a backup"}
	}
	if m.Format > manifestFormat {
		return nil, &InvalidError{file, fmt.Sprintf("%s has format %d, newer than this version's %d", ManifestFile(file), m.Format, manifestFormat)}
	}
	return &m, nil
}

func encodeManifest(m Manifest) ([]byte, error) {
	content, err := json.MarshalIndent(m, "", "  ")
	return append(content, '\n'), err
}
