// Package flags declares groups of flags that several commands share, and converts
// their values. Errors name the flag.
package flags
