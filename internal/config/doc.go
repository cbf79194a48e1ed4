// Package config defines the settings of the daemon: their defaults, their flags,
// environment variables and names in a YAML file, and the rules for their values.
package config
