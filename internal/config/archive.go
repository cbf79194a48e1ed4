package config

import "github.com/spf13/pflag"

// Archive is the part of Config for the archive of deleted games.
type Archive struct {
	// ArchiveFile is the path of the files that games are written to before they are deleted,
	// one a day: games.ndjson becomes games-2026-11-30.ndjson. The directory must exist and be
	// writable by this user only. Empty writes no files.
	ArchiveFile string
	// ArchiveURL is the https URL to which games are sent before they are deleted. Empty sends
	// none. It may contain secrets, so it is not logged.
	ArchiveURL string
}

// HasArchive reports whether games are archived before they are deleted.
func (a Archive) HasArchive() bool { return a.ArchiveFile != "" || a.ArchiveURL != "" }

func (a *Archive) bindArchive(f *pflag.FlagSet) {
	f.StringVar(&a.ArchiveFile, "archive-file", a.ArchiveFile, "`FILE` that games are appended to before they are deleted; the day is added to its name")
	f.StringVar(&a.ArchiveURL, "archive-url", a.ArchiveURL, "https `URL` that games are sent to before they are deleted")
}

func (a Archive) validateArchive(isInsecure bool) error {
	return validateWebhook("--archive-url", a.ArchiveURL, isInsecure)
}
