"""Running trials on one machine or a cluster: resumable, each row kept once it is finished."""
