// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// page is what a list tells besides its items.
type page struct {
	version string // resource version of the list
	next    string // token of the next page, "" at the last one
}

var errBadList = errors.New("malformed list")

// readList hands over the items of a list one by one, so that a page is never
// held as a whole.
func readList[T any](r io.Reader, each func(*T)) (page, error) {
	var found page
	dec := json.NewDecoder(r)
	if err := expect(dec, json.Delim('{')); err != nil {
		return found, err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return found, fmt.Errorf("read list: %w", err)
		}
		switch key {
		case "items":
			err = readItems(dec, each)
		case "metadata":
			err = found.read(dec)
		default:
			var skipped json.RawMessage
			err = dec.Decode(&skipped)
		}
		if err != nil {
			return found, fmt.Errorf("read list: %w", err)
		}
	}
	if err := expect(dec, json.Delim('}')); err != nil {
		return found, err
	}
	if found.version == "" {
		return found, fmt.Errorf("%w: no resource version", errBadList)
	}
	return found, nil
}

func (p *page) read(dec *json.Decoder) error {
	var meta struct {
		ResourceVersion string `json:"resourceVersion"`
		Continue        string `json:"continue"`
	}
	if err := dec.Decode(&meta); err != nil {
		return err
	}
	p.version, p.next = meta.ResourceVersion, meta.Continue
	return nil
}

func readItems[T any](dec *json.Decoder, each func(*T)) error {
	open, err := dec.Token()
	if err != nil || open == nil { // null: no items
		return err
	}
	if open != json.Delim('[') {
		return errBadList
	}
	for dec.More() {
		o := new(T)
		if err := dec.Decode(o); err != nil {
			return err
		}
		each(o)
	}
	return expect(dec, json.Delim(']'))
}

func expect(dec *json.Decoder, want json.Delim) error {
	got, err := dec.Token()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%w: %v instead of %v", errBadList, got, want)
	}
	return nil
}
