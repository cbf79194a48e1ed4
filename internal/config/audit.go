package config

import (
	"fmt"
	"net/url"

	"github.com/spf13/pflag"

	"galaxy/rtmanager/internal/loopback"
)

// Audit is the part of Config for the audit log.
type Audit struct {
	// AuditFile is the file of the audit log. Its directory must exist and be writable by
	// this user only. Empty records to no file.
	AuditFile string
	// AuditMaxBytes is the size in bytes at which the file is rotated; at least 1 MiB.
	// Default 100 MiB.
	AuditMaxBytes int64
	// AuditMaxFiles is the number of files that are kept, the current one included; at least
	// 2. Default 10.
	AuditMaxFiles int64
	// AuditWebhook is the https URL to which events are sent. Empty sends none. It may
	// contain secrets, so it is not logged.
	AuditWebhook string
}

// Bounds of the audit log.
const (
	minAuditBytes = 1 << 20
	minAuditFiles = 2
)

// HasAudit reports whether there is an audit log.
func (a Audit) HasAudit() bool { return a.AuditFile != "" || a.AuditWebhook != "" }

func defaultAudit() Audit { return Audit{AuditMaxBytes: 100 << 20, AuditMaxFiles: 10} }

func (a *Audit) bindAudit(f *pflag.FlagSet) {
	f.StringVar(&a.AuditFile, "audit-file", a.AuditFile, "`FILE` that records changes, denied requests and reads of secret values")
	f.Int64Var(&a.AuditMaxBytes, "audit-max-bytes", a.AuditMaxBytes, "`SIZE` in bytes at which --audit-file is rotated")
	f.Int64Var(&a.AuditMaxFiles, "audit-max-files", a.AuditMaxFiles, "`NUMBER` of files to keep of --audit-file, the current one included")
	f.StringVar(&a.AuditWebhook, "audit-webhook", a.AuditWebhook, "https `URL` to which the events of the audit log are sent")
}

func (a Audit) validateAudit(isInsecure bool) error {
	var v violations
	v.addIf(a.AuditMaxBytes < minAuditBytes, "--audit-max-bytes %d is too small; use at least %d, which is 1 MiB", a.AuditMaxBytes, minAuditBytes)
	v.addIf(a.AuditMaxFiles < minAuditFiles, "--audit-max-files %d is too small; use at least %d", a.AuditMaxFiles, minAuditFiles)
	v.add(validateWebhook("--audit-webhook", a.AuditWebhook, isInsecure))
	return v.join()
}

// validateWebhook checks the URL of the webhook of a flag. Its error has no part of the URL that can be
// a secret.
func validateWebhook(flag, webhook string, isInsecure bool) error {
	if webhook == "" {
		return nil
	}
	endpoint, err := url.Parse(webhook)
	switch {
	case err != nil || endpoint.Scheme != "https" && endpoint.Scheme != "http" || endpoint.Hostname() == "" || endpoint.Fragment != "":
		return fmt.Errorf("%s is not a URL such as https://audit.example.com/events", flag)
	case endpoint.Scheme == "http" && !isInsecure && !loopback.IsHost(endpoint.Hostname()):
		return fmt.Errorf("%s would send events to %s without encryption; use https, a loopback address, or --insecure", flag, endpoint.Host)
	}
	return nil
}
