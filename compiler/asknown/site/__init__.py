"""The catalogue of a project as one HTML file: its pages, its drawings, and the text of both."""
