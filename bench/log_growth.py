"""How much a broker's logs grow."""

import pathlib


class LogGrowth:
    """Bytes that a broker appended to logs. Segments may be deleted meanwhile: look often."""

    def __init__(self, data, wanted):
        self.data = pathlib.Path(data)
        self.wanted = wanted
        self.before = self.sizes()
        self.largest = {}

    def sizes(self):
        found = {}
        for folder in self.data.iterdir():
            if folder.is_dir() and self.wanted(folder.name.rsplit("-", 1)[0]):
                for file in folder.glob("*.log"):
                    try:
                        found[(folder.name, file.name)] = file.stat().st_size
                    except FileNotFoundError:
                        pass  # deleted meanwhile
        return found

    def look(self):
        for name, size in self.sizes().items():
            self.largest[name] = max(size, self.largest.get(name, 0))

    def bytes_by_topic(self):
        self.look()
        grown = {}
        for (folder, file), size in self.largest.items():
            topic = folder.rsplit("-", 1)[0]
            grown[topic] = grown.get(topic, 0) + size - self.before.get((folder, file), 0)
        return grown
