// Preloaded into a server that listens on port 0 and tells nobody which one it got.
import net from 'node:net';

const { listen } = net.Server.prototype;
net.Server.prototype.listen = function (...args) {
  this.once('listening', () => console.error(`listens on port ${this.address().port}`));
  return listen.apply(this, args);
};
